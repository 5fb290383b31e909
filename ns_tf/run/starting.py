"""Imported before all else by every command: Ctrl-C is one line from here on."""

from ns_tf.run import signals

if signals.is_command():
    signals.handle(signals.end_at_once)
