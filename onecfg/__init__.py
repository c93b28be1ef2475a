"""Reads, compares and changes OpenNebula's configuration files; comments, order and blank lines stay."""
