"""Which weights adaptation may change: scale and shift of LayerNorm, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from requery.errors import ConfigError, first


def layer_norm_parameters(
    encoder: nn.Module, modules: Sequence[str | nn.Module] | None = None
) -> dict[str, nn.Parameter]:
    """Find the weights and biases of LayerNorm by name, each once.

    Args:
        encoder: of the queries.
        modules: parts of it, or their dotted names, in which to look; None = all of it. Officially `visual`
            (CLIP) or `visual_encoder` (BLIP) for images, `transformer` (CLIP) or `text_encoder` for texts.

    Returns:
        Names in the encoder and parameters, in its order.

    Raises:
        ConfigError: a name is unknown, or there is no LayerNorm with weights in what was chosen.
    """
    known = dict(encoder.named_modules(remove_duplicate=False))  # a shared tower goes by each of its names
    missing = [part for part in modules or () if isinstance(part, str) and part not in known]
    if missing:
        raise ConfigError(f"the encoder has no module {first(missing)} (it has {first(filter(None, known))})")
    roots = [encoder] if modules is None else [known[m] if isinstance(m, str) else m for m in modules]
    inside = {id(module) for root in roots for module in root.modules()}
    norms = {id(m) for m in encoder.modules() if isinstance(m, nn.LayerNorm)} & inside
    found = {
        f"{name}.{leaf}" if name else leaf: parameter
        for name, module in encoder.named_modules()
        if id(module) in norms
        for leaf, parameter in module.named_parameters(recurse=False)
    }
    if not found:
        raise ConfigError("there is no LayerNorm with weights to adapt in the encoder's chosen modules")
    return found


def freeze_all_but(encoder: nn.Module, adapted: dict[str, nn.Parameter]) -> None:
    """Switch the encoder to evaluation, and gradients off for all but the adapted parameters.

    Raises:
        ConfigError: the encoder was made under `torch.inference_mode`, which rules out gradients for good.
    """
    if any(parameter.is_inference() for parameter in encoder.parameters()):
        raise ConfigError("the encoder was built under torch.inference_mode: build it outside to adapt it")
    encoder.eval().requires_grad_(False)
    for parameter in adapted.values():
        parameter.requires_grad_(True)
