"""Tests of the proxy: its pure desks, and the real portal over real sockets."""
