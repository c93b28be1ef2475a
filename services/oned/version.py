"""What this front-end says that it is."""

COMPATIBLE_RELEASE = "6.0.0.3"  # OpenNebula's release whose interface and database are kept
SCHEMA_VERSION = "6.0.0"  # of the shared and of the local tables
OWN_SCHEMA_VERSION = (
    1  # of our tables (onebox_); a change of them is a step of services/oned/onedb/own_steps.py
)
