"""Consoles of machines for browsers: tokens, and the proxy between websockets and VNC; see the README."""
