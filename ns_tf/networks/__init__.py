"""Networks as functions of their widths."""
