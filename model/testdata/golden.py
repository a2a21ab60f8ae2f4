#!/usr/bin/env python3
"""Reference values of a tiny GPT-2 and a tiny Llama, made with PyTorch.

Run in this folder, with PyTorch 1.13 on one thread (other versions differ in
the last bits, far below the tolerance of the tests):

    python3 golden.py

It writes, for X in gpt2 and llama:

golden_X.safetensors  the initial weights under Hugging Face's names. They are
    stored as BF16 to save space and are exact: the initial values were rounded
    to it before anything was computed. Everything else is float32.
golden_X.json
    config       config.json of the model
    optimizer    AdamW: lr (constant), beta1, beta2, eps, weight_decay (on
                 tensors of two dimensions, embeddings included; decoupled),
                 clip (global norm; the factor is min(1, clip/(norm+1e-6)))
    ids          [step][row][T+1] token ids: the first T are the inputs of the
                 step, the last T its targets. Positions are 0..T-1 in a row.
    logits       [row][t][v] at the initial weights on the inputs ids[0]
    losses       mean cross-entropy in nats at each step, before its update
    losses64     the same run in float64: how much of the digits is rounding
    grad_norms   global gradient norm at each step, before clipping
    gradients    of losses[0] at the initial weights, by tensor:
                   norm   Euclidean norm
                   probe  sum of g[i]*cos(i) over the flattened tensor, which
                          a transposed or permuted gradient does not match
                   values all of them, row-major (small tensors only)

The models are written from the papers (Radford et al. 2019; Touvron et al.
2023, arXiv:2302.13971) with the weight layouts of Hugging Face: GPT-2's linear
weights are [in, out], Llama's [out, in], rotary pairs are (i, i+D/2).
"""

import json
import math
import struct

import torch
import torch.nn.functional as F

STEPS, ROWS, T, V, C, LAYERS, HEADS, KV_HEADS, FF = 10, 2, 16, 61, 32, 2, 4, 2, 48
D = C // HEADS
EPS, THETA = 1e-5, 10000.0
OPT = dict(name="adamw", lr=3e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1, clip=1.0)
FULL = 600  # gradients of at most this many values are written whole


def attention(q, k, v):
    """Causal attention; q, k, v are (B, H, T, D)."""
    t = q.shape[2]
    scores = q @ k.transpose(2, 3) / math.sqrt(D)
    future = torch.ones(t, t, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, float("-inf")).softmax(-1) @ v


def heads(x, n):
    """(B, T, n*D) -> (B, n, T, D)"""
    return x.view(x.shape[0], x.shape[1], n, D).transpose(1, 2)


def merge(x):
    """(B, n, T, D) -> (B, T, n*D)"""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)


class GPT2:
    config = dict(
        model_type="gpt2", architectures=["GPT2LMHeadModel"], vocab_size=V, n_positions=T, n_embd=C, n_layer=LAYERS,
        n_head=HEADS, activation_function="gelu_new", layer_norm_epsilon=EPS, initializer_range=0.02,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, tie_word_embeddings=True, torch_dtype="bfloat16")

    @staticmethod
    def shapes():
        yield "transformer.wte.weight", (V, C)
        yield "transformer.wpe.weight", (T, C)
        for i in range(LAYERS):
            h = f"transformer.h.{i}."
            for name, shape in (("ln_1", (C,)), ("attn.c_attn", (C, 3 * C)), ("attn.c_proj", (C, C)), ("ln_2", (C,)),
                                ("mlp.c_fc", (C, 4 * C)), ("mlp.c_proj", (4 * C, C))):
                yield h + name + ".weight", shape
                yield h + name + ".bias", shape[-1:]
        yield "transformer.ln_f.weight", (C,)
        yield "transformer.ln_f.bias", (C,)

    @staticmethod
    def logits(w, ids):
        def norm(x, name):
            mean = x.mean(-1, keepdim=True)
            var = ((x - mean) ** 2).mean(-1, keepdim=True)
            return (x - mean) / torch.sqrt(var + EPS) * w[name + ".weight"] + w[name + ".bias"]

        def linear(x, name):
            return x @ w[name + ".weight"] + w[name + ".bias"]

        def gelu(x):
            return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))

        x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][: ids.shape[1]]
        for i in range(LAYERS):
            h = f"transformer.h.{i}."
            q, k, v = linear(norm(x, h + "ln_1"), h + "attn.c_attn").split(C, 2)
            a = attention(heads(q, HEADS), heads(k, HEADS), heads(v, HEADS))
            x = x + linear(merge(a), h + "attn.c_proj")
            x = x + linear(gelu(linear(norm(x, h + "ln_2"), h + "mlp.c_fc")), h + "mlp.c_proj")
        return norm(x, "transformer.ln_f") @ w["transformer.wte.weight"].T


class Llama:
    config = dict(
        model_type="llama", architectures=["LlamaForCausalLM"], vocab_size=V, max_position_embeddings=T, hidden_size=C,
        intermediate_size=FF, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS,
        hidden_act="silu", rms_norm_eps=EPS, rope_theta=THETA, initializer_range=0.02, tie_word_embeddings=False,
        attention_bias=False, mlp_bias=False, torch_dtype="bfloat16")

    @staticmethod
    def shapes():
        yield "model.embed_tokens.weight", (V, C)
        for i in range(LAYERS):
            h = f"model.layers.{i}."
            yield h + "input_layernorm.weight", (C,)
            yield h + "self_attn.q_proj.weight", (HEADS * D, C)
            yield h + "self_attn.k_proj.weight", (KV_HEADS * D, C)
            yield h + "self_attn.v_proj.weight", (KV_HEADS * D, C)
            yield h + "self_attn.o_proj.weight", (C, HEADS * D)
            yield h + "post_attention_layernorm.weight", (C,)
            yield h + "mlp.gate_proj.weight", (FF, C)
            yield h + "mlp.up_proj.weight", (FF, C)
            yield h + "mlp.down_proj.weight", (C, FF)
        yield "model.norm.weight", (C,)
        yield "lm_head.weight", (V, C)

    @staticmethod
    def logits(w, ids):
        dtype = w["lm_head.weight"].dtype

        def norm(x, name):
            return x / torch.sqrt((x * x).mean(-1, keepdim=True) + EPS) * w[name + ".weight"]

        def linear(x, name):
            return x @ w[name + ".weight"].T

        frequency = THETA ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
        angle = torch.arange(ids.shape[1], dtype=torch.float64)[:, None] * frequency
        cos, sin = angle.cos().to(dtype), angle.sin().to(dtype)  # (T, D/2)

        def rotate(x):
            a, b = x[..., : D // 2], x[..., D // 2:]
            return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

        def share(x):  # each k/v head serves HEADS/KV_HEADS neighbouring heads
            return x.repeat_interleave(HEADS // KV_HEADS, 1)

        x = w["model.embed_tokens.weight"][ids]
        for i in range(LAYERS):
            h = f"model.layers.{i}."
            n = norm(x, h + "input_layernorm")
            q = rotate(heads(linear(n, h + "self_attn.q_proj"), HEADS))
            k = rotate(heads(linear(n, h + "self_attn.k_proj"), KV_HEADS))
            v = heads(linear(n, h + "self_attn.v_proj"), KV_HEADS)
            x = x + linear(merge(attention(q, share(k), share(v))), h + "self_attn.o_proj")
            n = norm(x, h + "post_attention_layernorm")
            x = x + linear(F.silu(linear(n, h + "mlp.gate_proj")) * linear(n, h + "mlp.up_proj"), h + "mlp.down_proj")
        return linear(norm(x, "model.norm"), "lm_head")


def initial(model):
    """Larger than a real start, so that every part of the network matters."""
    w = {}
    for name, shape in model.shapes():
        x = torch.randn(shape)
        if len(shape) == 2:
            x *= 0.15
        elif name.endswith("bias"):
            x *= 0.1
        else:
            x = 1 + 0.2 * x
        w[name] = x.bfloat16().float()
    return w


def batches():
    """Ids with something to learn: 3 of 4 follow from the one before."""
    ids = torch.randint(0, V, (STEPS, ROWS, T + 1))
    follow = torch.rand(ids.shape) < 0.75
    for t in range(1, T + 1):
        ids[:, :, t] = torch.where(follow[:, :, t], (5 * ids[:, :, t - 1] + 7) % V, ids[:, :, t])
    return ids


def loss_of(model, w, ids):
    logits = model.logits(w, ids[:, :-1])
    return F.cross_entropy(logits.reshape(-1, V), ids[:, 1:].reshape(-1))


def train(model, start, ids, dtype):
    """Returns losses, global gradient norms and the first gradients."""
    w = {name: x.to(dtype).clone().requires_grad_() for name, x in start.items()}
    m = {name: torch.zeros_like(x) for name, x in w.items()}
    v = {name: torch.zeros_like(x) for name, x in w.items()}
    losses, norms, first = [], [], None
    for step in range(1, STEPS + 1):
        loss = loss_of(model, w, ids[step - 1])
        losses.append(loss.item())
        grads = dict(zip(w, torch.autograd.grad(loss, list(w.values()))))
        first = first or grads
        norm = math.sqrt(sum(g.double().pow(2).sum().item() for g in grads.values()))
        norms.append(norm)
        scale = min(1.0, OPT["clip"] / (norm + 1e-6))
        with torch.no_grad():  # Loshchilov and Hutter 2019, algorithm 2
            for name, x in w.items():
                g = grads[name] * scale
                m[name].mul_(OPT["beta1"]).add_(g, alpha=1 - OPT["beta1"])
                v[name].mul_(OPT["beta2"]).addcmul_(g, g, value=1 - OPT["beta2"])
                mean = m[name] / (1 - OPT["beta1"] ** step)
                root = (v[name] / (1 - OPT["beta2"] ** step)).sqrt()
                if x.dim() == 2:
                    x.mul_(1 - OPT["lr"] * OPT["weight_decay"])
                x.sub_(OPT["lr"] * mean / (root + OPT["eps"]))
    return losses, norms, first


def numbers(x):
    """Nested lists of float32 values with the digits they need."""
    if isinstance(x, torch.Tensor):
        x = x.tolist()
    return [numbers(y) for y in x] if isinstance(x, list) else float(f"{x:.8g}")


def safetensors(path, tensors):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, x in tensors.items():
        raw = b"".join(struct.pack("<f", v)[2:] for v in x.flatten().tolist())  # upper halves: exact here
        header[name] = {"dtype": "BF16", "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def write(name, model, seed):
    torch.manual_seed(seed)
    start, ids = initial(model), batches()
    safetensors(f"golden_{name}.safetensors", start)
    losses, norms, grads = train(model, start, ids, torch.float32)
    losses64, _, _ = train(model, start, ids, torch.float64)
    gradients = {}
    for tensor, g in grads.items():
        g64 = g.double().flatten()
        e = {"norm": g64.norm().item(), "probe": (g64 * torch.arange(len(g64), dtype=torch.float64).cos()).sum().item()}
        if len(g64) <= FULL:
            e["values"] = numbers(g.flatten())
        gradients[tensor] = e
    fields = dict(config=model.config, optimizer=OPT, ids=ids.tolist(), losses=losses, losses64=losses64,
                  grad_norms=norms, gradients=gradients, logits=numbers(model.logits(start, ids[0][:, :-1])))
    with open(f"golden_{name}.json", "w") as f:
        rows = (json.dumps(k) + ": " + json.dumps(v, separators=(",", ":")) for k, v in fields.items())
        f.write("{\n" + ",\n".join(rows) + "\n}\n")
    print(name, "largest difference to float64:", max(abs(a - b) for a, b in zip(losses, losses64)))
    print(*(f"{x:.5f}" for x in losses))
    print(*(f"{x:.4f}" for x in norms))


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("gpt2", GPT2, 1)
    write("llama", Llama, 2)
