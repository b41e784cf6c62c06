"""What is fitted to recordings on a desk, and becomes numbers of stages."""
