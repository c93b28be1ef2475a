"""Deployment files of the hypervisors that libvirt drives; see ``domain``."""
