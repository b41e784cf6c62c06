"""Certificates for the tests of TLS, by the openssl of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


class Authority:
    """Makes <name>.pem and <name>.key in a folder; days < 0: expired."""

    def __init__(self, folder: Path, name: str = "ca"):
        if not shutil.which("openssl"):
            pytest.skip("openssl is not installed")
        self.folder, self.name = folder, name
        only_signs = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self._openssl("req", "-x509", *new_key(name), "-out", f"{name}.pem", "-days", "2", *only_signs)

    def sign(self, name: str, common_name: str, days: int = 2) -> None:
        self._openssl("req", *new_key(name, common_name), "-out", f"{name}.csr")
        (self.folder / "names").write_text(f"subjectAltName=DNS:{common_name}")
        by = ("-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key", "-CAcreateserial")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *by, "-days", str(days), "-extfile", "names")

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def new_key(name: str, common_name: str = "") -> tuple[str, ...]:
    return ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={common_name or name}")
