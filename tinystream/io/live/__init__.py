"""Samples as they come: from a microphone, a serial line, a socket, a pipe, or a recording in true time.

Every source is an iterable of blocks of the app's shape and type, and of a Gap wherever samples are missing between two blocks.  Several of
them, joined, are an iterable of heartbeats of them all.
"""

from tinystream.io.live.base import Beat, Gap, Level, Live
from tinystream.io.live.joined import Joined
from tinystream.io.live.microphone import Microphone
from tinystream.io.live.network import Tcp, TcpListener, Udp
from tinystream.io.live.paced import Paced
from tinystream.io.live.pipe import Pipe
from tinystream.io.live.serial_port import SerialPort

__all__ = ["Beat", "Gap", "Joined", "Level", "Live", "Microphone", "Paced", "Pipe", "SerialPort", "Tcp", "TcpListener", "Udp"]
