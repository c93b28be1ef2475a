"""The command ``onedb``: looks after the database of a front-end.

Subcommands, options, arguments and file names are those of OpenNebula 6.0's command.
"""
