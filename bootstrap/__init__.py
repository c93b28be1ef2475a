"""Turns image parameters into a configured, enabled set of services; see README.md in this folder."""
