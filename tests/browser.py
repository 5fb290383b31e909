"""A page in a real browser, and what a script finds in it."""

import html
import json
import re
import shutil
import subprocess

import pytest

_BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    _BROWSER is None, reason="no chromium: apt-get install chromium"
)
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=60000",
    "--dump-dom",
)
_SEEN = """
<pre id="seen"></pre>
<script>
document.getElementById("seen").textContent = JSON.stringify(((asked) => {
BODY
})(ASKED));
</script>
"""


def seen_in(page, body, asked, folder):
    """What a function returns that runs at the end of the page, through JSON.

    Args:
        page: The text of the page.
        body: Of the function, JavaScript; its argument is called `asked`.
        asked: Its argument, plain values.
        folder: For the page, and for what the browser keeps.
    """
    script = _SEEN.replace("BODY", body).replace("ASKED", json.dumps(asked))
    path = folder / "moved.html"
    path.write_text(page.replace("</body>", f"{script}</body>"))
    argv = [_BROWSER, *_FLAGS, f"--user-data-dir={folder}/browser", f"file://{path}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    match = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
    assert match, done.stderr[-2000:]
    return json.loads(html.unescape(match.group(1)))
