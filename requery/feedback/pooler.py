"""Attention blocks that pool a set of tokens into one, as V-JEPA's attentive pooler (Bardes et al. 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from requery.errors import ConfigError


class AttentivePooler(nn.Module):
    """One cross-attention block, then self-attention blocks; the first token is the result.

    Args:
        dim: E, of all tokens.
        heads: divide E.
        depth: blocks, at least 1.

    Raises:
        ConfigError: the heads do not divide E, or there is no block.
    """

    def __init__(self, dim: int, heads: int, depth: int) -> None:
        super().__init__()
        if depth < 1 or heads < 1 or dim % heads:
            raise ConfigError(f"depth {depth} must be at least 1, and {heads} heads must divide {dim}")
        self.q_cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.cross_attention_block = _CrossBlock(dim, heads)
        self.blocks = nn.ModuleList(_SelfBlock(dim, heads) for _ in range(depth - 1))
        self._initialise()

    def _initialise(self) -> None:
        """Truncated normal weights; what is added to the residual stream is smaller the later it is."""
        nn.init.trunc_normal_(self.q_cls, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for number, block in enumerate([self.cross_attention_block, *self.blocks], 1):
            for name, weight in block.named_parameters():
                if name.endswith(("attn.proj.weight", "mlp.fc2.weight")):
                    weight.data /= math.sqrt(2 * number)

    def forward(
        self,
        query: Tensor,
        memory: Tensor | None,
        query_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Pool a memory, as a query reads it.

        Args:
            query: `(B, L, E)`.
            memory: `(B, M, E)`; None = nothing to read: the query is pooled alone.
            query_mask: `(B, L)` bool, which tokens of the query exist; None = all.
            memory_mask: `(B, M)` bool, which tokens of the memory may be read, at least one; None = all.

        Returns:
            `(B, E)`; `(B, H, 1 + L, M)` attention to the memory, None without one.
        """
        x = torch.cat([self.q_cls.expand(len(query), -1, -1), query], 1)
        x, attention = self.cross_attention_block(x, memory, memory_mask)
        own = None if query_mask is None else F.pad(query_mask, (1, 0), value=True)
        for block in self.blocks:
            x = block(x, own)
        return x[:, 0], attention


class _CrossBlock(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.xattn = _CrossAttention(dim, heads)
        self.mlp = _MLP(dim)

    def forward(self, x: Tensor, memory: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        attention = None
        if memory is not None:
            read, attention = self.xattn(x, self.norm1(memory), mask)
            x = x + read
        return x + self.mlp(self.norm2(x)), attention


class _CrossAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.proj = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        # Attention is computed openly, for its weights are a result.
        query = self.q(x).unflatten(-1, (self.heads, -1))  # (B, L, H, E/H)
        key, value = self.kv(memory).unflatten(-1, (2, self.heads, -1)).unbind(2)
        scores = torch.einsum("blhe,bmhe->bhlm", query, key) / math.sqrt(query.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], -torch.inf)
        weights = scores.softmax(-1)
        return self.proj(torch.einsum("bhlm,bmhe->blhe", weights, value).flatten(2)), weights


class _SelfBlock(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = _SelfAttention(dim, heads)
        self.mlp = _MLP(dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn(self.norm1(x), mask)
        moved: Tensor = x + self.mlp(self.norm2(x))
        return moved


class _SelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = (
            part.transpose(1, 2) for part in self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        )
        keys = None if mask is None else mask[:, None, None]
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=keys)
        mixed: Tensor = self.proj(read.transpose(1, 2).flatten(2))
        return mixed


class _MLP(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out
