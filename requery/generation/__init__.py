"""Text from images and prompts: captions and expansions, generated once and found by content."""

from requery.generation.caption_file import read_captions, write_captions
from requery.generation.captioner import Captioner
from requery.generation.captions import caption_requests
from requery.generation.chat import TransformersGenerator
from requery.generation.endpoint import EndpointGenerator
from requery.generation.generate import generate
from requery.generation.generator import Answer, Generator, Prompt
from requery.generation.load import load_generator
from requery.generation.replay import Replay
from requery.generation.request import Request, Sampling
from requery.generation.rules import RuleGenerator
from requery.generation.store import Store

__all__ = [
    "Answer",
    "Captioner",
    "EndpointGenerator",
    "Generator",
    "Prompt",
    "Replay",
    "Request",
    "RuleGenerator",
    "Sampling",
    "Store",
    "TransformersGenerator",
    "caption_requests",
    "generate",
    "load_generator",
    "read_captions",
    "write_captions",
]
