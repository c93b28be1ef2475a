"""Patches that come with this release; ``onedb patch NAME`` applies one."""
