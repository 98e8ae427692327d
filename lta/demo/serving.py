"""The page on a port of this computer."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from lta.demo.gate import Gate
from lta.demo.limits import Limits
from lta.demo.place import EVERYWHERE, LOOPBACK
from lta.demo.visits import MOST

STICKY = "<style>.gradio-container { overflow: clip !important; }</style>"
"""Gradio's `hidden` would keep results from staying in view; what is in page.css applies to the parts inside only."""


@contextmanager
def serve_page(page: Any, host: str, port: int, most: Limits) -> Iterator[str]:
    """The page's address. Gradio's own settings that could be asked for through the environment are all given here."""
    hosts = None if host == EVERYWHERE else {host, *LOOPBACK}
    gate = Middleware(Gate, hosts=hosts, largest=most.bytes)
    font = ["system-ui", "sans-serif"]
    themes = gr.themes  # pyright: ignore[reportPrivateImportUsage] documented, not listed
    theme = themes.Default(primary_hue="blue", font=font, font_mono=["ui-monospace", "monospace"])
    theme.set(  # its own are hard to read
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
    )
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            inline=False,
            inbrowser=False,
            share=False,
            footer_links=[],
            run_history=False,
            allowed_paths=[],
            blocked_paths=[],
            root_path="",
            max_file_size=most.bytes,
            state_session_capacity=MOST,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            num_workers=0,
            show_error=False,
            debug=False,
            app_kwargs={"middleware": [gate]},
            theme=theme,
            css_paths=Path(__file__).with_name("page.css"),
            head=STICKY,
        )
    except OSError as error:
        raise ValueError(f"the page could not be served at {host}:{port}: {error}") from error
    try:
        yield address.rstrip("/")
    finally:
        page.server.config.timeout_graceful_shutdown = 1  # second: pages that are open hold connections
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # that these are cut off is no news
        page.close(verbose=False)
