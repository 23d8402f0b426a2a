"""A generator behind an OpenAI-compatible endpoint: vLLM, llama.cpp, LM Studio, Ollama or a hosted model."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

from requery.errors import ConfigError, RunError
from requery.generation.generator import Answer, Identity, Prompt
from requery.generation.request import Sampling

AGAIN = (408, 409, 425, 429)
"""Statuses below 500 after which the same request may succeed."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LONGEST_PAUSE = 60.0


class EndpointGenerator:
    """Posts to `{url}/chat/completions`; the dialogue's turns go one after the other.

    A request that is refused for now (429, 5xx) or times out is sent again after 1, 2, 4 … seconds or what
    the server asks for. The server draws: the seed is passed on, but whether it is obeyed, and whether greedy
    answers depend on its load, is the server's affair; with a store a text is drawn once.

    Args:
        url: the API's base, such as `http://localhost:8000/v1`; not part of the identity.
        model: name of the model there; another checkpoint under the same name is not noticed.
        key_variable: environment variable that holds the key; it is read for each request, and neither kept
            nor shown. Unset means no key.
        timeout: seconds to wait for an answer.
        attempts: times a request is sent at most.
        parallel: requests at a time.
    """

    takes_prompts = True

    def __init__(
        self,
        url: str,
        model: str,
        key_variable: str = "OPENAI_API_KEY",
        timeout: float = 120.0,
        attempts: int = 5,
        parallel: int = 4,
    ) -> None:
        place = urlsplit(url)
        if place.scheme not in ("http", "https") or not place.hostname or place.username:
            raise ConfigError("endpoint: url must be http(s)://host[:port]/path, without a password in it")
        if attempts < 1 or parallel < 1 or timeout <= 0:
            raise ConfigError("endpoint: attempts and parallel must be at least 1, timeout above 0")
        self.url, self.model, self.key_variable = url.rstrip("/"), model, key_variable
        self.timeout, self.attempts, self.batch_size = timeout, attempts, parallel
        self.name = model
        self.identity: Identity = {"kind": "endpoint", "model": model}
        # a proxy is for other machines; a redirection would carry the key to another server
        proxies = urllib.request.ProxyHandler({} if place.hostname in LOOPBACK else None)
        self._opener = urllib.request.build_opener(proxies, _NoRedirection)

    def answer(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Answer]:
        """Answer each prompt.

        Raises:
            ConfigError: the server does not accept the key, or knows no such model or address.
            RunError: nobody answers at the address.
        """
        with ThreadPoolExecutor(self.batch_size) as pool:
            return list(pool.map(lambda prompt: self._dialogue(prompt, sampling), prompts))

    def _dialogue(self, prompt: Prompt, sampling: Sampling) -> Answer:
        started, tokens, text = time.perf_counter(), 0, ""
        messages: list[dict[str, Any]] = []
        for turn, words in enumerate(prompt.turns):
            content: list[dict[str, Any]] = [{"type": "text", "text": words}]
            if turn == 0 and prompt.image is not None:
                content.append({"type": "image_url", "image_url": {"url": data_url(prompt.image)}})
            messages.append({"role": "user", "content": content})
            settings = {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": prompt.seed % 2**31,
            }
            body = {
                "model": self.model,
                "messages": messages,
                "max_tokens": sampling.max_new_tokens,
                **settings,
            }
            try:
                reply = self._post(json.dumps(body).encode())
                text = str(reply["choices"][0]["message"]["content"] or "").strip()
                tokens += int((reply.get("usage") or {}).get("completion_tokens") or 0)
            except _Refused as error:
                return Answer(error=str(error), seconds=time.perf_counter() - started)
            except (KeyError, IndexError, TypeError, AttributeError) as error:
                return Answer(error=f"the endpoint's answer has no text ({error!r})")
            messages.append({"role": "assistant", "content": text})
        return Answer(text, tokens, time.perf_counter() - started)

    def _post(self, body: bytes) -> Any:
        """The server's JSON, after as many attempts as it takes."""
        reason, pause, reached = "", 1.0, False
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(pause, LONGEST_PAUSE))
            wait = 2.0**attempt
            try:
                with self._opener.open(self._request(body), timeout=self.timeout) as response:
                    return json.loads(response.read())
            except urllib.error.HTTPError as error:
                reason, reached = self._explain(error), True
                wait = max(wait, _asked_pause(error))
            except TimeoutError:
                reason, reached = f"no answer within {self.timeout:g} s", True
            except urllib.error.URLError as error:
                if isinstance(error.reason, TimeoutError):
                    reason, reached = f"no answer within {self.timeout:g} s", True
                else:
                    reason = str(error.reason)
            except (OSError, http.client.HTTPException, ValueError) as error:  # cut off, or no JSON
                reason, reached = f"broken answer ({type(error).__name__}: {error})", True
            pause = wait
        if not reached:
            raise RunError(
                f"{self.url}: cannot be reached ({reason}); start the server or correct the address, and run "
                "again: what is stored is not asked again"
            )
        raise _Refused(f"{reason}, {self.attempts} times")

    def _request(self, body: bytes) -> urllib.request.Request:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(self.key_variable)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return urllib.request.Request(f"{self.url}/chat/completions", body, headers)

    def _explain(self, error: urllib.error.HTTPError) -> str:
        """What to say of a status that may change; raises where it will not."""
        with error:
            said = " ".join(error.read(300).decode(errors="replace").split())
        what = f"{self.url}: status {error.code} ({said or error.reason})"
        if error.code in (401, 403):
            raise ConfigError(f"{what}; set the environment variable {self.key_variable} to a valid key")
        if error.code == 404 or 300 <= error.code < 400:
            raise ConfigError(f"{what}; check the address and the model's name, {self.model}")
        if error.code < 500 and error.code not in AGAIN:
            raise _Refused(f"status {error.code} ({said or error.reason})")
        return f"status {error.code} ({said or error.reason})"


class _Refused(Exception):
    """One request got no answer; others may."""


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _asked_pause(error: urllib.error.HTTPError) -> float:
    """Seconds the server asks to wait; 0 where it does not, or names a date."""
    asked = error.headers.get("Retry-After", "")
    return float(asked) if asked.replace(".", "", 1).isdigit() else 0.0


def data_url(image: Image.Image) -> str:
    """An image as a PNG in a URL: the very pixels the digest stands for."""
    out = io.BytesIO()
    image.save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
