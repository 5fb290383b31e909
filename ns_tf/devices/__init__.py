"""Devices: how long layers take there, as tables over their channels."""
