#!/usr/bin/env python3
"""Reference values of tiny models of each family, made with PyTorch.

Run in this folder, with PyTorch 1.13 on one thread:

    python3 families.py

For each entry of CASES it writes NAME.json:

    config     config.json of the model, under Hugging Face's keys; run_context is
               ours: the length for which dynamic and longrope tables are made
    shapes     names and shapes of its weights, under Hugging Face's names
    ids        [row][T+1]: the first T are the inputs, the last T the targets
    logits     [t][v] of row 0
    loss       mean cross-entropy of all rows, nats
    balance    load-balancing loss of each layer with experts
    gradients  of loss + router_aux_loss_coef * mean of balance, by tensor: the
               Euclidean norm, and probe, the sum of g[i]*cos(i) over the
               flattened tensor

and rope.json: frequencies and factor of each way to stretch rotary positions,
in float64.

Weights are not stored: weight() makes them from the name, and the test does the
same. The models are written from the papers that the Go packages name and from
the published configurations, without any code of theirs: every family is one
function below, from ids to logits.

Checked once against llama.cpp (2025, F32 files of the same weights, flash
attention off): the largest difference of a logit is 1e-6 for llama with llama3
scaling, mistral, qwen2 with yarn, qwen3, phi3 with either list of longrope, olmo2,
mixtral, qwen2_moe and qwen3_moe, all without the windows that it lacks; 1e-5 for
gemma2 and gemma3, given its half-precision table of GELU.
"""

import json
import math

import torch

T, ROWS = 14, 2


def mix(x):
    """The finaliser of splitmix64."""
    mask = (1 << 64) - 1
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & mask
    return x ^ (x >> 31)


def stream(name, n):
    """n numbers of [-128, 127], a function of the name."""
    h = 0xCBF29CE484222325  # FNV-1a
    for c in name.encode():
        h = (h ^ c) * 0x100000001B3 & ((1 << 64) - 1)
    return [(mix((h + i * 0x9E3779B97F4A7C15) & ((1 << 64) - 1)) >> 56) - 128 for i in range(n)]


def weight(name, shape, offset):
    """Matrices and biases spread by 1/4, scales of norms around 1 (0 where the
    family adds 1 itself). All are exact in bfloat16."""
    n = math.prod(shape)
    x = torch.tensor(stream(name, n), dtype=torch.float32).reshape(shape) / 512
    if len(shape) == 1 and not name.endswith("bias"):
        x = x + (0 if offset else 1)
    return x


# Rotary positions: frequencies (radians a token) and the factor of cos and sin.

def plain(d, theta):
    return [theta ** (-2 * i / d) for i in range(d // 2)], 1.0


def rope(kind, d, theta, context, s, run=0):
    f, scale = plain(d, theta)
    original = s.get("original_max_position_embeddings", context)
    if kind == "linear":
        f = [x / s["factor"] for x in f]
    elif kind == "dynamic":
        length = max(run, original)
        theta *= (s["factor"] * length / original - (s["factor"] - 1)) ** (d / (d - 2))
        f, _ = plain(d, theta)
    elif kind == "llama3":
        out = []
        for x in f:
            wave = 2 * math.pi / x
            if wave < original / s["high_freq_factor"]:
                out.append(x)
            elif wave > original / s["low_freq_factor"]:
                out.append(x / s["factor"])
            else:
                smooth = (original / wave - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
                out.append((1 - smooth) * x / s["factor"] + smooth * x)
        f = out
    elif kind == "yarn":
        def dimension(rotations):
            return d * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))
        low, high = dimension(s.get("beta_fast", 32)), dimension(s.get("beta_slow", 1))
        if s.get("truncate", True):
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, d - 1)
        if low == high:
            high += 0.001
        keep = [1 - min(max((i - low) / (high - low), 0), 1) for i in range(d // 2)]
        f = [x / s["factor"] * (1 - k) + x * k for x, k in zip(f, keep)]

        def magnitude(m):
            return 0.1 * m * math.log(s["factor"]) + 1
        scale = magnitude(1)
        if "mscale" in s:
            scale = magnitude(s["mscale"]) / magnitude(s["mscale_all_dim"])
        scale = s.get("attention_factor", scale)
    elif kind == "longrope":
        factors = s["long_factor"] if run > original else s["short_factor"]
        f = [x / k for x, k in zip(f, factors)]
        stretch = context / original if context != original else s.get("factor", 1)
        if stretch > 1:
            scale = math.sqrt(1 + math.log(stretch) / math.log(original))
        scale = s.get("attention_factor", scale)
    else:
        assert kind == "default", kind
    return f, scale


def turn(x, frequencies, scale=1.0):
    """x is (B, heads, T, D); the first channels turn, (i, i+half) together."""
    half = len(frequencies)
    angle = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * torch.tensor(frequencies, dtype=torch.float64)
    cos, sin = (scale * angle.cos()).to(x.dtype), (scale * angle.sin()).to(x.dtype)
    a, b, rest = x[..., :half], x[..., half:2 * half], x[..., 2 * half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin, rest), -1)


# Layers.

def rms(x, w, eps):
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * w


def silu(x):
    return x / (1 + torch.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)


def split(x, heads):
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def attention(q, k, v, scale, window=None, cap=None):
    """q is (B, H, T, D); k, v (B, K, T, D), each for H/K neighbouring heads. A
    token sees itself and the window-1 tokens before it."""
    share = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(share, 1), v.repeat_interleave(share, 1)
    s = (q @ k.transpose(2, 3)) * scale
    if cap:
        s = cap * torch.tanh(s / cap)
    t = torch.arange(q.shape[2])
    back = t[:, None] - t[None, :]
    hidden = back < 0
    if window:
        hidden = hidden | (back >= window)
    p = softmax(s.masked_fill(hidden, -1e30))
    return (p @ v).transpose(1, 2).flatten(2)


class Weights:
    """w("a.b", x) is the linear layer a.b, with its bias if it has one."""

    def __init__(self, tensors):
        self.t = tensors

    def __call__(self, name, x):
        y = x @ self.t[name + ".weight"].T
        bias = self.t.get(name + ".bias")
        return y if bias is None else y + bias

    def __getitem__(self, name):
        return self.t[name + ".weight"]


def unembed(w, c, x):
    return x @ w["model.embed_tokens" if c["tie_word_embeddings"] else "lm_head"].T


def head_dim(c):
    return c.get("head_dim", c["hidden_size"] // c["num_attention_heads"])


def rotation(c, d):
    s = c.get("rope_scaling") or {}
    return rope(s.get("rope_type", "default"), d, c["rope_theta"], c["max_position_embeddings"], s, c.get("run_context", 0))


def self_attention(w, h, x, c, f, window=None, norm=None, scale=None, cap=None):
    """Projections, optional norms of heads, rotation, attention, output."""
    q = split(w(h + "q_proj", x), c["num_attention_heads"])
    k = split(w(h + "k_proj", x), c["num_key_value_heads"])
    v = split(w(h + "v_proj", x), c["num_key_value_heads"])
    if norm:
        q, k = norm(q, h + "q_norm"), norm(k, h + "k_norm")
    return w(h + "o_proj", attention(turn(q, *f), turn(k, *f), v, scale or head_dim(c) ** -0.5, window, cap))


def gated(w, h, x, act):
    return w(h + "down_proj", act(w(h + "gate_proj", x)) * w(h + "up_proj", x))


# Families: (weights, config, ids) -> logits, balances of the layers with experts.

def llama(w, c, ids):
    eps, f = c["rms_norm_eps"], rotation(c, head_dim(c))
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        window = c.get("sliding_window")
        if c.get("use_sliding_window") is False or i < c.get("max_window_layers", 0):
            window = None
        x = x + self_attention(w, h + "self_attn.", rms(x, w[h + "input_layernorm"], eps), c, f, window)
        x = x + gated(w, h + "mlp.", rms(x, w[h + "post_attention_layernorm"], eps), silu)
    return unembed(w, c, rms(x, w["model.norm"], eps)), []


mistral = qwen2 = llama


def qwen3(w, c, ids):
    eps, f = c["rms_norm_eps"], rotation(c, head_dim(c))
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        window = c["sliding_window"] if c["layer_types"][i] == "sliding_attention" else None
        x = x + self_attention(w, h + "self_attn.", rms(x, w[h + "input_layernorm"], eps), c, f, window,
                               norm=lambda y, name: rms(y, w[name], eps))
        x = x + gated(w, h + "mlp.", rms(x, w[h + "post_attention_layernorm"], eps), silu)
    return unembed(w, c, rms(x, w["model.norm"], eps)), []


def gemma2(w, c, ids):
    eps, f = c["rms_norm_eps"], rotation(c, head_dim(c))

    def norm(x, name):
        return rms(x, 1 + w[name], eps)

    x = w["model.embed_tokens"][ids] * math.sqrt(c["hidden_size"])
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        window = c["sliding_window"] if i % 2 == 0 else None
        y = self_attention(w, h + "self_attn.", norm(x, h + "input_layernorm"), c, f, window,
                           scale=c["query_pre_attn_scalar"] ** -0.5, cap=c["attn_logit_softcapping"])
        x = x + norm(y, h + "post_attention_layernorm")
        y = gated(w, h + "mlp.", norm(x, h + "pre_feedforward_layernorm"), gelu_tanh)
        x = x + norm(y, h + "post_feedforward_layernorm")
    logits = unembed(w, c, norm(x, "model.norm"))
    cap = c["final_logit_softcapping"]
    return cap * torch.tanh(logits / cap), []


def gemma3_text(w, c, ids):
    eps, d = c["rms_norm_eps"], head_dim(c)
    everywhere, near = rotation(c, d), plain(d, c["rope_local_base_freq"])

    def norm(x, name):
        return rms(x, 1 + w[name], eps)

    x = w["model.embed_tokens"][ids] * math.sqrt(c["hidden_size"])
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        slides = (i + 1) % c["sliding_window_pattern"] != 0
        y = self_attention(w, h + "self_attn.", norm(x, h + "input_layernorm"), c, near if slides else everywhere,
                           c["sliding_window"] if slides else None, norm=norm, scale=c["query_pre_attn_scalar"] ** -0.5)
        x = x + norm(y, h + "post_attention_layernorm")
        y = gated(w, h + "mlp.", norm(x, h + "pre_feedforward_layernorm"), gelu_tanh)
        x = x + norm(y, h + "post_feedforward_layernorm")
    return unembed(w, c, norm(x, "model.norm")), []


def phi3(w, c, ids):
    eps, d, heads, kv = c["rms_norm_eps"], head_dim(c), c["num_attention_heads"], c["num_key_value_heads"]
    s = dict(c.get("rope_scaling") or {"rope_type": "default"})
    s["original_max_position_embeddings"] = c["original_max_position_embeddings"]
    f = rope(s["rope_type"], int(d * c.get("partial_rotary_factor", 1)), c["rope_theta"], c["max_position_embeddings"], s,
             c.get("run_context", 0))
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        q, k, v = w(h + "self_attn.qkv_proj", rms(x, w[h + "input_layernorm"], eps)).split((heads * d, kv * d, kv * d), -1)
        y = attention(turn(split(q, heads), *f), turn(split(k, kv), *f), split(v, kv), d ** -0.5, c["sliding_window"])
        x = x + w(h + "self_attn.o_proj", y)
        gate, up = w(h + "mlp.gate_up_proj", rms(x, w[h + "post_attention_layernorm"], eps)).chunk(2, -1)
        x = x + w(h + "mlp.down_proj", up * silu(gate))
    return unembed(w, c, rms(x, w["model.norm"], eps)), []


def olmo2(w, c, ids):
    eps, f, heads, kv = c["rms_norm_eps"], rotation(c, head_dim(c)), c["num_attention_heads"], c["num_key_value_heads"]
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        a = h + "self_attn."
        q = split(rms(w(a + "q_proj", x), w[a + "q_norm"], eps), heads)
        k = split(rms(w(a + "k_proj", x), w[a + "k_norm"], eps), kv)
        y = attention(turn(q, *f), turn(k, *f), split(w(a + "v_proj", x), kv), head_dim(c) ** -0.5)
        x = x + rms(w(a + "o_proj", y), w[h + "post_attention_layernorm"], eps)
        x = x + rms(gated(w, h + "mlp.", x, silu), w[h + "post_feedforward_layernorm"], eps)
    return unembed(w, c, rms(x, w["model.norm"], eps)), []


def experts(x, router, k, normalise, expert):
    """Every expert sees every token; tokens that did not choose it weigh 0."""
    p = softmax(router)
    chosen = torch.zeros_like(p)
    top = p.detach().sort(-1, descending=True).indices[..., :k]
    chosen.scatter_(-1, top, 1.0)
    weight = p * chosen
    if normalise:
        weight = weight / weight.sum(-1, keepdim=True)
    y = 0
    for e in range(p.shape[-1]):
        y = y + weight[..., e:e + 1] * expert(e, x)
    share = chosen.flatten(0, -2).mean(0) / k
    balance = p.shape[-1] * (share * p.flatten(0, -2).mean(0)).sum()
    return y, balance


def mixtral(w, c, ids):
    eps, f, balances = c["rms_norm_eps"], rotation(c, head_dim(c)), []
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        x = x + self_attention(w, h + "self_attn.", rms(x, w[h + "input_layernorm"], eps), c, f, c["sliding_window"])
        n, m = rms(x, w[h + "post_attention_layernorm"], eps), h + "block_sparse_moe."

        def expert(e, y):
            at = f"{m}experts.{e}.w"
            return w(at + "2", silu(w(at + "1", y)) * w(at + "3", y))

        # Equation 2: the softmax over the chosen logits.
        y, b = experts(n, w(m + "gate", n), c["num_experts_per_tok"], True, expert)
        x = x + y
        balances.append(b)
    return unembed(w, c, rms(x, w["model.norm"], eps)), balances


def qwen_moe(w, c, ids):
    eps, f, balances = c["rms_norm_eps"], rotation(c, head_dim(c)), []
    norm = None
    if c["model_type"] == "qwen3_moe":
        def norm(y, name):
            return rms(y, w[name], eps)
    x = w["model.embed_tokens"][ids]
    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        x = x + self_attention(w, h + "self_attn.", rms(x, w[h + "input_layernorm"], eps), c, f, norm=norm)
        n, m = rms(x, w[h + "post_attention_layernorm"], eps), h + "mlp."
        if i in c["mlp_only_layers"] or (i + 1) % c["decoder_sparse_step"]:
            x = x + gated(w, m, n, silu)
            continue
        y, b = experts(n, w(m + "gate", n), c["num_experts_per_tok"], c["norm_topk_prob"],
                       lambda e, z: gated(w, f"{m}experts.{e}.", z, silu))
        balances.append(b)
        if c["model_type"] == "qwen2_moe":
            y = y + gated(w, m + "shared_expert.", n, silu) / (1 + torch.exp(-w(m + "shared_expert_gate", n)))
        x = x + y
    return unembed(w, c, rms(x, w["model.norm"], eps)), balances


qwen2_moe = qwen3_moe = qwen_moe


# Names and shapes of the weights.

def shapes(c):
    family, C, F, d = c["model_type"], c["hidden_size"], c["intermediate_size"], head_dim(c)
    q, kv = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
    out = {"model.embed_tokens.weight": (c["vocab_size"], C), "model.norm.weight": (C,)}
    if not c["tie_word_embeddings"]:
        out["lm_head.weight"] = (c["vocab_size"], C)

    def mlp(at, ff):
        out[at + "gate_proj.weight"], out[at + "up_proj.weight"], out[at + "down_proj.weight"] = (ff, C), (ff, C), (C, ff)

    for i in range(c["num_hidden_layers"]):
        h = f"model.layers.{i}."
        a, m = h + "self_attn.", h + "mlp."
        norms = {"olmo2": ("post_attention", "post_feedforward"),
                 "gemma2": ("input", "post_attention", "pre_feedforward", "post_feedforward"),
                 "gemma3_text": ("input", "post_attention", "pre_feedforward", "post_feedforward")}
        for n in norms.get(family, ("input", "post_attention")):
            out[h + n + "_layernorm.weight"] = (C,)
        out[a + "o_proj.weight"] = (C, q)
        if family == "phi3":
            out[a + "qkv_proj.weight"] = (q + 2 * kv, C)
            out[m + "gate_up_proj.weight"], out[m + "down_proj.weight"] = (2 * F, C), (C, F)
            continue
        for n, width in (("q", q), ("k", kv), ("v", kv)):
            out[a + n + "_proj.weight"] = (width, C)
            if family in ("qwen2", "qwen2_moe"):
                out[a + n + "_proj.bias"] = (width,)
        if family == "olmo2":
            out[a + "q_norm.weight"], out[a + "k_norm.weight"] = (q,), (kv,)
        elif family in ("qwen3", "qwen3_moe", "gemma3_text"):
            out[a + "q_norm.weight"], out[a + "k_norm.weight"] = (d,), (d,)
        if family == "mixtral":
            b = h + "block_sparse_moe."
            out[b + "gate.weight"] = (c["num_local_experts"], C)
            for e in range(c["num_local_experts"]):
                for n, s in (("w1", (F, C)), ("w2", (C, F)), ("w3", (F, C))):
                    out[f"{b}experts.{e}.{n}.weight"] = s
        elif "num_experts" in c and i not in c["mlp_only_layers"] and (i + 1) % c["decoder_sparse_step"] == 0:
            out[m + "gate.weight"] = (c["num_experts"], C)
            for e in range(c["num_experts"]):
                mlp(f"{m}experts.{e}.", c["moe_intermediate_size"])
            if family == "qwen2_moe":
                mlp(m + "shared_expert.", c["shared_expert_intermediate_size"])
                out[m + "shared_expert_gate.weight"] = (1, C)
        else:
            mlp(m, F)
    return out


def config(family, **more):
    c = dict(model_type=family, vocab_size=29, max_position_embeddings=32, hidden_size=24, intermediate_size=32,
             num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, hidden_act="silu", rms_norm_eps=1e-5,
             rope_theta=1000.0, tie_word_embeddings=False)
    c.update(more)
    return c


GEMMA = dict(hidden_activation="gelu_pytorch_tanh", head_dim=8, sliding_window=5, tie_word_embeddings=True)
MOE = dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=16, router_aux_loss_coef=0.5, decoder_sparse_step=1)

CASES = {
    "llama3": config("llama", tie_word_embeddings=True, rope_scaling=dict(
        rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)),
    "mistral": config("mistral", sliding_window=5, head_dim=8),
    "qwen2": config("qwen2", use_sliding_window=True, sliding_window=4, max_window_layers=1, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=16)),
    "qwen3": config("qwen3", head_dim=8, sliding_window=6, layer_types=["sliding_attention", "full_attention"]),
    "gemma2": config("gemma2", query_pre_attn_scalar=5, attn_logit_softcapping=1.5, final_logit_softcapping=2.0, **GEMMA),
    "gemma3_text": config("gemma3_text", query_pre_attn_scalar=12, attn_logit_softcapping=None, final_logit_softcapping=None,
                          rope_local_base_freq=50.0, sliding_window_pattern=3, num_hidden_layers=3, attention_bias=False,
                          rope_scaling=dict(rope_type="linear", factor=8.0), **GEMMA),
    "phi3": config("phi3", sliding_window=9, max_position_embeddings=64, original_max_position_embeddings=16,
                   num_attention_heads=3, num_key_value_heads=3, partial_rotary_factor=0.75, rope_scaling=dict(
                       rope_type="longrope", short_factor=[1.0, 1.25, 1.5], long_factor=[1.5, 3.0, 4.0])),
    "phi3_long": config("phi3", sliding_window=None, max_position_embeddings=64, original_max_position_embeddings=16,
                        run_context=64, rope_scaling=dict(rope_type="longrope", short_factor=[1.0, 1.25, 1.5],
                                                          long_factor=[1.5, 3.0, 4.0])),
    "dynamic": config("llama", run_context=96, rope_scaling=dict(rope_type="dynamic", factor=2.0)),
    "olmo2": config("olmo2", rms_norm_eps=1e-6),
    "mixtral": config("mixtral", sliding_window=None, num_local_experts=4, num_experts_per_tok=2, router_aux_loss_coef=0.5),
    "qwen2_moe": config("qwen2_moe", shared_expert_intermediate_size=24, norm_topk_prob=False, mlp_only_layers=[0], **MOE),
    "qwen3_moe": config("qwen3_moe", head_dim=8, norm_topk_prob=True, mlp_only_layers=[], **MOE),
}


def numbers(x):
    return [numbers(y) for y in x] if isinstance(x, list) else float(f"{x:.7g}")


def write(path, fields):
    with open(path, "w") as f:
        rows = (json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in fields.items())
        f.write("{\n" + ",\n".join(rows) + "\n}\n")


def case(name, c):
    offset = c["model_type"].startswith("gemma")
    start = {n: weight(n, s, offset) for n, s in shapes(c).items()}
    ids = torch.tensor([x % c["vocab_size"] for x in stream("ids", ROWS * (T + 1))]).reshape(ROWS, T + 1)
    results = {}
    for dtype in (torch.float32, torch.float64):
        w = {n: x.detach().clone().to(dtype).requires_grad_() for n, x in start.items()}
        logits, balances = globals()[c["model_type"]](Weights(w), c, ids[:, :-1])
        log = logits - logits.logsumexp(-1, keepdim=True)
        loss = -log.gather(-1, ids[:, 1:, None]).mean()
        total = loss
        if balances:
            total = loss + c["router_aux_loss_coef"] * torch.stack(balances).mean()
        total.backward()
        results[dtype] = logits, loss, balances, w
    logits, loss, balances, w = results[torch.float64]
    gradients = {}
    for n, x in w.items():
        g = x.grad.flatten()
        gradients[n] = numbers([g.norm().item(), (g * torch.arange(len(g), dtype=torch.float64).cos()).sum().item()])
    write(name + ".json", dict(config=c, shapes={n: list(s) for n, s in shapes(c).items()}, ids=ids.tolist(),
                               logits=numbers(logits[0].tolist()), loss=loss.item(),
                               balance=[b.item() for b in balances], gradients=gradients))
    print(f"{name:12} loss {loss.item():.4f} largest logit {logits.abs().max().item():.3f} "
          f"float32 differs by {(results[torch.float32][0] - logits).abs().max().item():.1e}")


def rope_cases():
    listed = [1 + i / 8 for i in range(16)]
    for kind, d, theta, context, s, run in (
            ("default", 64, 10000.0, 2048, {}, 0),
            ("linear", 128, 10000.0, 8192, dict(factor=4.0), 0),
            ("dynamic", 64, 10000.0, 2048, dict(factor=2.0), 0),
            ("dynamic", 64, 10000.0, 2048, dict(factor=2.0), 6000),
            ("llama3", 128, 500000.0, 131072,
             dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192), 0),
            ("llama3", 64, 500000.0, 131072,
             dict(factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192), 0),
            ("yarn", 128, 1000000.0, 131072, dict(factor=4.0, original_max_position_embeddings=32768), 0),
            ("yarn", 64, 10000.0, 4096, dict(factor=16.0, beta_fast=24.0, beta_slow=2.0, attention_factor=0.9), 0),
            ("yarn", 64, 10000.0, 163840, dict(factor=40.0, mscale=1.0, mscale_all_dim=0.8,
                                               original_max_position_embeddings=4096, truncate=False), 0),
            ("longrope", 32, 10000.0, 131072, dict(short_factor=listed, long_factor=[4 * x for x in listed],
                                                   original_max_position_embeddings=4096), 0),
            ("longrope", 32, 10000.0, 131072, dict(short_factor=listed, long_factor=[4 * x for x in listed],
                                                   original_max_position_embeddings=4096), 131072)):
        f, scale = rope(kind, d, theta, context, s, run)
        yield dict(theta=theta, d=d, context=context, run=run, scaling=dict(s, rope_type=kind), frequencies=f, scale=scale)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, c in CASES.items():
        case(name, c)
    with open("rope.json", "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(x, separators=(",", ":")) for x in rope_cases()) + "\n]\n")
