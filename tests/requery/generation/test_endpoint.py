"""An OpenAI-compatible endpoint, played by a local server that misbehaves on request."""

import base64
import io
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image, ImageChops

from requery.errors import ConfigError, RunError
from requery.generation import EndpointGenerator, Prompt, Request, Sampling, Store, generate
from tests.processes import free_port

SAMPLING = Sampling(0.2, 0.9, 40, 3)


class Server(ThreadingHTTPServer):
    """Answers with the words of the last message; `plan` holds what the next requests get instead."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.seen, self.headers, self.lock = [], [], [], threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append((self.path, body))
            self.server.headers.append(dict(self.headers))
            status, content, extra = self.server.plan.pop(0) if self.server.plan else (200, None, {})
        if status == "hang":
            time.sleep(1.5)
        if status in ("hang", "cut"):
            self.close_connection = True
            return
        if content is None:
            words = body["messages"][-1]["content"][0]["text"]
            content = {
                "choices": [{"message": {"content": f" on {words}\n"}}],
                "usage": {"completion_tokens": 5},
            }
        data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pauses(monkeypatch):
    taken = []
    monkeypatch.setattr("requery.generation.endpoint.time.sleep", taken.append)
    return taken


def endpoint(server, **settings):
    return EndpointGenerator(server.url, "small-vlm", **{"parallel": 1, **settings})


def ask(generator, *turns, image=None):
    return generator.answer([Prompt(turns, image, seed=2**40 + 7)], SAMPLING)[0]


def test_a_dialogue_is_sent_as_the_protocol_has_it(server, pictures):
    answer = ask(endpoint(server), "one", "two", image=pictures.load(2))
    assert (answer.text, answer.tokens, answer.error) == ("on two", 10, None) and answer.seconds > 0
    (path, first), (_, second) = server.seen
    assert path == "/v1/chat/completions"
    settings = {key: value for key, value in first.items() if key != "messages"}
    assert settings == {"model": "small-vlm", "max_tokens": 40, "temperature": 0.2, "top_p": 0.9, "seed": 7}
    words, shown = first["messages"][0]["content"]
    assert words == {"type": "text", "text": "one"} and shown["type"] == "image_url"
    kind, data = shown["image_url"]["url"].split(",")
    assert kind == "data:image/png;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert ImageChops.difference(sent, pictures.load(2)).getbbox() is None
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == "on one"


@pytest.mark.parametrize("status", [429, 408, 500, 503])
def test_what_may_pass_is_tried_again_with_longer_pauses(server, pauses, status):
    server.plan = [(status, "busy", {})] * 3
    assert ask(endpoint(server), "hello").text == "on hello"
    assert pauses == [1.0, 2.0, 4.0]


def test_the_server_says_how_long_to_wait(server, pauses):
    server.plan = [
        (429, "", {"Retry-After": "7"}),
        (503, "", {"Retry-After": "9999"}),
        (429, "", {"Retry-After": "soon"}),
    ]
    assert ask(endpoint(server), "hello").text == "on hello"
    assert pauses == [7.0, 60.0, 4.0]


def test_a_cut_or_senseless_answer_is_asked_for_again(server, pauses):
    server.plan = [("cut", None, {}), (200, "<html>", {})]
    assert ask(endpoint(server), "hello").text == "on hello"
    assert len(server.seen) == 3


def test_an_item_that_never_gets_an_answer_fails_alone(server, pauses, tmp_path):
    generator = endpoint(server, attempts=2)
    requests = [Request(f"item {i}", (f"word {i}",)) for i in range(4)]
    server.plan = [(200, None, {}), (500, "out of memory", {}), (500, "out of memory", {})]
    with pytest.warns(UserWarning, match=r"item 1 \(status 500 \(out of memory\), 2 times\)"):
        texts = generate(generator, requests, store=Store(tmp_path))
    assert texts == [["on word 0"], [], ["on word 2"], ["on word 3"]]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((400, "prompt too long", {}), r"status 400 \(prompt too long\)"),
        ((200, {"choices": []}, {}), "has no text"),
        ((200, {"error": "loading"}, {}), "has no text"),
        ((200, [], {}), "has no text"),
    ],
)
def test_what_another_attempt_cannot_mend_fails_at_once(server, pauses, reply, reason):
    server.plan = [reply]
    answer = ask(endpoint(server), "hello")
    assert answer.error is not None and re.search(reason, answer.error)
    assert len(server.seen) == 1 and pauses == []


def test_a_null_answer_is_a_failure(server):
    server.plan = [(200, {"choices": [{"message": {"content": None}}]}, {})]
    with pytest.warns(UserWarning, match="the answer is empty"):
        assert generate(endpoint(server), [Request("a", ("b",))]) == [[]]


def test_a_server_that_hangs_is_given_up(server, monkeypatch):
    server.plan = [("hang", None, {})]
    answer = ask(endpoint(server, timeout=0.2, attempts=1), "hello")
    assert answer.error == "no answer within 0.2 s, 1 times"


def test_nobody_at_the_address_ends_the_run(pauses):
    generator = EndpointGenerator(f"http://127.0.0.1:{free_port()}/v1", "m", attempts=2)
    with pytest.raises(RunError, match=r"cannot be reached.*start the server"):
        ask(generator, "hello")
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("status", "remedy"), [(401, "MY_KEY"), (403, "MY_KEY"), (404, "model's name"), (307, "address")]
)
def test_what_fails_for_all_ends_the_run(server, status, remedy):
    server.plan = [(status, "no", {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(ConfigError, match=remedy):
        ask(endpoint(server, key_variable="MY_KEY"), "hello")


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(server, monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    generator = endpoint(server, key_variable="MY_KEY", attempts=1)
    server.plan = [(200, None, {}), (500, "oops", {})]
    with pytest.warns(UserWarning) as warned:
        generate(generator, [Request("a", ("b",)), Request("c", ("d",))], store=Store(tmp_path))
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer sk-secret"] * 2
    kept = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "sk-secret" not in kept + str(vars(generator)) + str(warned[0].message)
    monkeypatch.delenv("MY_KEY")
    ask(generator, "hello")
    assert "Authorization" not in server.headers[-1]


def test_loopback_needs_no_proxy(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(endpoint(server), "hello").text == "on hello"


def test_requests_run_in_parallel_and_keep_their_order(server):
    prompts = [Prompt((f"word {i}",), None, i) for i in range(12)]
    answers = endpoint(server, parallel=4).answer(prompts, SAMPLING)
    assert [answer.text for answer in answers] == [f"on word {i}" for i in range(12)]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", "http://me:secret@host/v1"])
def test_an_address_that_is_none_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match="url must be") as raised:
        EndpointGenerator(url, "m")
    assert "secret" not in str(raised.value)
