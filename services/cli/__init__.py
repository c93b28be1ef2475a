"""The one* commands. See README.md in this folder."""

VERSION = "0.1.0"
COMPATIBLE_WITH = "OpenNebula 6.0"
