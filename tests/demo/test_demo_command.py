"""lta.demo as a user starts it: what can be wrong, what it promises of files, network and environment."""

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import processes
import pytest
from commands import environment, lta_run
from pretended_page import photograph
from served_page import free_port, served
from untrained_run import untrained_run

from lta.demo.__main__ import demo


def lta_demo(capsys, *arguments):
    return lta_run(capsys, arguments, demo, "demo", lists=("effect",), sweeps=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("runs") / "run", "model.init.scorer=author")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare=RUN"], "is shown next to a network: give checkpoint=RUN too"),
        (["checkpoint=nowhere"], "there is no checkpoint nowhere"),
        (["checkpoint=RUN", "compare=nowhere"], "there is no checkpoint nowhere"),
        (["checkpoint=RUN", "which=first"], "which=first is unknown"),
        (["checkpoint=RUN", "effect=smear"], "effect=smear is unknown; choose one of all, autoblur"),
        (["checkpoint=RUN", "effect=[]"], "effect=... must be given"),
        (["checkpoint=RUN", "effect.crop.keep=2"], "keep=2 must be a number from 0 to 1"),
        (["checkpoint=RUN", "attention.levels=[D]"], "attention.levels=D is unknown; choose one of A, B, C"),
        (["checkpoint=RUN", "attention.scales=[0]"], "attention.scales=[0] must be whole numbers"),
        (["checkpoint=RUN", "attention.low=0.99"], "low=0.99 must be below high=0.95"),
        (["checkpoint=RUN", "largest.megapixels=0"], "largest.megapixels=0 must be a number"),
        (["checkpoint=RUN", "host=nowhere.invalid"], "host=nowhere.invalid"),
        (["checkpoint=RUN", "port=99999"], "port=99999 can't be used"),
        (["checkpoint=RUN", "open=maybe"], "open=maybe must be true or false"),
        (["checkpoint=RUN", "images=a.jpg"], "there is no setting images"),
        (["checkpoint=RUN", "seed=1"], "there is no setting seed"),
        (["-m", "checkpoint=RUN"], "-m is for sweeps of lta.run"),
    ],
)
def test_what_can_be_wrong_is_one_line(capsys, run, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not any(argument.startswith("port=") for argument in arguments):
        arguments = [*arguments, f"port={free_port()}"]
    ended = lta_demo(capsys, *(argument.replace("RUN", str(run)) for argument in arguments))
    assert (ended.status, len(ended.err.splitlines())) == (1, 1), ended.err
    assert says in ended.err
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_a_network_without_maps(capsys, tmp_path):
    run = untrained_run(tmp_path / "run", "model=vgg")
    ended = lta_demo(capsys, f"checkpoint={run}", f"port={free_port()}")
    assert f"checkpoint={run}: this network has no attention maps" in ended.err


@pytest.mark.parametrize("flag", [["--help"], ["checkpoint=none", "--cfg", "job"]])
def test_help_and_cfg_need_neither_torch_nor_gradio(flag, tmp_path):
    blocked = "import sys; [sys.modules.__setitem__(name, None) for name in ('torch', 'gradio', 'skimage', 'matplotlib')];"
    begin = (
        f"import runpy; sys.argv = ['lta.demo', *{flag}]; runpy.run_module('lta.demo', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", blocked + begin]
    out = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True).stdout
    assert ("pip install 'lta[demo]'" in out) if flag == ["--help"] else ("_target_: lta.effects.crop" in out)


def test_every_example_of_the_help_composes(capsys):
    examples = re.findall(r"^  python -m lta.demo (.+)$", lta_demo(capsys, "--help").out, re.MULTILINE)
    assert len(examples) >= 4
    for example in examples:
        ended = lta_demo(capsys, *example.split(), "--cfg", "job")
        assert ended.status == 0, ended.err


def status(address, host=None):
    """Of a request that goes by no proxy."""
    request = urllib.request.Request(address, headers={} if host is None else {"Host": host})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


UNDOING = {
    "GRADIO_SHARE": "True",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_ANALYTICS_ENABLED": "True",
    "GRADIO_DEBUG": "1",
    "GRADIO_MCP_SERVER": "true",
    "GRADIO_ROOT_PATH": "/elsewhere",
    "GRADIO_SSR_MODE": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "all_proxy": "http://127.0.0.1:9",
}
"""Settings of Gradio that would undo what the page promises, and a proxy that leads nowhere."""


@pytest.mark.slow
def test_files_network_and_environment(run, tmp_path):
    secret = tmp_path / "cwd" / "secret.png"
    for file in (secret, tmp_path / "cwd/.gradio/cached_examples/old.png", tmp_path / "tmp/other.png"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photograph())
    before = {path: path.stat().st_mtime for path in tmp_path.rglob("*")}
    with served(tmp_path, f"checkpoint={run}", "which=last", **UNDOING) as page:
        assert [line for line in page.said if "not used here: " in line] == [
            f"not used here: {', '.join(sorted(name for name in UNDOING if name.startswith('GRADIO_')))}"
        ]
        assert page.said[-1] == f"{page.address}  (for this computer alone; Ctrl-C ends it)"
        port = page.address.rpartition(":")[2]
        assert page.address == f"http://127.0.0.1:{port}"
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        listening = [place for _, place, _, state, *_ in sockets if state == "0A"]
        assert [place for place in listening if place.endswith(f":{int(port):04X}")] == [f"0100007F:{int(port):04X}"]
        (folder,) = (path for path in (tmp_path / "tmp").iterdir() if path.is_dir())
        files = (*before, run / "checkpoints/last.ckpt", "/etc/passwd", f"{folder}/../other.png")
        for file in files:
            assert status(f"{page.address}/gradio_api/file={file}") == 403, file
        assert status(page.address) == 200
        assert status(page.address, "evil.example") == 400
        for path in ("info", "openapi.json", "runs", "proxy=http://127.0.0.1", "deep_link?session_hash=a"):
            assert status(f"{page.address}/gradio_api/{path}") == 404, path
        assert status(f"{page.address}/monitoring") == 404
        ended = processes.run(
            [sys.executable, "-m", "lta.demo", f"checkpoint={run}", f"port={port}"], env=environment(), cwd=tmp_path / "cwd"
        )
        assert (
            ended.stderr == f"error: port={port} is taken on 127.0.0.1; give another, or port=null for the first free one\n"
        )
        assert page.end() == (0, "ended\n")
    assert {path: path.stat().st_mtime for path in tmp_path.rglob("*") if path.is_file()} == {
        path: when for path, when in before.items() if path.is_file()
    }, "nothing is written anywhere else, and the temporary folder is gone"
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["other.png"]


@pytest.mark.slow
def test_for_everybody_where_it_is_asked_for_and_other_ends(run, tmp_path):
    with served(tmp_path, f"checkpoint={run}", "host=0.0.0.0", "effect=crop") as page:
        assert "(host=0.0.0.0: for everybody who can reach this computer; there is no password" in page.said[-1]
        port = page.address.rpartition(":")[2]
        assert status(f"http://127.0.0.1:{port}", "my-computer.local") == 200
        assert page.end(signal.SIGTERM) == (143, "stopped by SIGTERM; the page has ended\n")
    assert not list((tmp_path / "tmp").iterdir())
