#!/usr/bin/env python3
"""polyphon-train beside PyTorch + PEFT: the same model file, data, rank, learning rate, tokens a step and
threads, in turns, each in a process of its own.

    compare_peft.py --model GGUF [--trainer polyphon-train] [--steps N] [--rounds N] [--threads N]
                    [--precisions bf16,f32]

Needs requirements/peft.txt (scripts/setup.sh python-peft). Both train on the same random sequences with
targets in their last two thirds; PEFT as its documentation says, padded batches, in float32 and in
bfloat16. Prints one JSON object a run, the last one with the ratios to PEFT's better precision: tokens
(without padding) a second, medians of the rounds, and the most memory a process held. Seconds are those
on the clock and those of the processor: on one thread the latter say what a core does that other
processes leave alone. The mean losses are over the same examples in another order: they tell that both
computed the same.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RANK, ALPHA, LEARNING_RATE = 16, 32, 2e-4
SEQUENCES_A_STEP, SEQUENCE = 4, (200, 257)  # lengths from, below
PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def make_data(path, steps, vocabulary=49000):
    rng = random.Random(1)
    with open(path, "w") as file:
        for _ in range(steps * SEQUENCES_A_STEP):
            tokens = [rng.randrange(100, vocabulary) for _ in range(rng.randrange(*SEQUENCE))]
            targets = [[len(tokens) // 3, len(tokens), 1.0]]
            file.write(json.dumps({"tokens": tokens, "targets": targets}) + "\n")


def result(name, losses, tokens, clock, processor, peak_mb):
    """Of a run whose steps trained on `tokens` and ended at these times; the first step warms up caches
    and allocators."""

    def speed(times):
        return statistics.median(
            count / (end - begin) for count, begin, end in zip(tokens[1:], times, times[1:])
        )

    return {
        "name": name,
        "tokens_per_second": speed(clock),
        "tokens_per_processor_second": speed(processor),
        "peak_mb": peak_mb,
        "mean_loss": statistics.mean(losses),
    }


def processor_seconds(pid):
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def run_ours(arguments, data):
    with tempfile.TemporaryDirectory() as out:
        command = [arguments.trainer, "lora", "--model", arguments.model, "--data", data]
        command += ["--out", out, "--json", "--max-steps", arguments.steps]
        command += ["--batch-tokens", SEQUENCES_A_STEP * SEQUENCE[1], "--rank", RANK]
        command += ["--alpha", ALPHA, "--learning-rate", LEARNING_RATE]
        command += ["--threads", arguments.threads, "--warmup-steps", 0]
        command += ["--final-learning-rate-share", 1]
        command = [str(c) for c in command]
        steps, clock, processor = [], [], []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trainer:
            for line in trainer.stdout:
                step = json.loads(line)
                if "options" in step:
                    continue
                clock.append(time.perf_counter())
                processor.append(processor_seconds(trainer.pid))
                steps.append(step)
    if trainer.returncode != 0:
        sys.exit(f"{arguments.trainer} ended with {trainer.returncode}")
    totals = [0] + [step["tokens"] for step in steps]
    return result(
        "polyphon-train",
        [step["loss"]["tokens"] for step in steps],
        [after - before for before, after in zip(totals, totals[1:])],
        clock,
        processor,
        steps[-1]["peak_memory_mb"],
    )


def peft_child(arguments, data):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    model_path = Path(arguments.model)
    model = AutoModelForCausalLM.from_pretrained(
        str(model_path.parent), gguf_file=model_path.name, dtype=torch.float32
    )
    if arguments.child == "bf16":
        model = model.to(torch.bfloat16)
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=PROJECTIONS, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATE, weight_decay=0)
    examples = [json.loads(line) for line in open(data)]
    losses, counts, clock, processor = [], [], [], []
    for step in range(arguments.steps):
        batch = examples[step * SEQUENCES_A_STEP : (step + 1) * SEQUENCES_A_STEP]
        longest = max(len(example["tokens"]) for example in batch)
        tokens = torch.zeros(len(batch), longest, dtype=torch.long)
        labels = torch.full((len(batch), longest), -100)
        mask = torch.zeros(len(batch), longest, dtype=torch.long)
        for row, example in enumerate(batch):
            ids = torch.tensor(example["tokens"])
            tokens[row, : len(ids)] = ids
            mask[row, : len(ids)] = 1
            begin, end, _ = example["targets"][0]
            labels[row, begin:end] = ids[begin:end]
        loss = model(input_ids=tokens, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        counts.append(int(mask.sum()))
        clock.append(time.perf_counter())
        processor.append(time.process_time())
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    name = "peft " + arguments.child
    print(json.dumps(result(name, losses, counts, clock, processor, peak_mb)))


def run_peft(arguments, data, precision):
    command = [sys.executable, __file__, "--child", precision, "--data", data]
    command += ["--model", arguments.model, "--steps", arguments.steps]
    command += ["--threads", arguments.threads]
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def summary(runs):
    names = {run["name"] for run in runs}

    def of_each(value, choose):
        return {name: choose(r[value] for r in runs if r["name"] == name) for name in names}

    speed = of_each("tokens_per_second", statistics.median)
    work = of_each("tokens_per_processor_second", statistics.median)
    memory = of_each("peak_mb", max)
    peer = max((name for name in names if name != "polyphon-train"), key=work.get)
    least = min(memory[name] for name in names if name != "polyphon-train")
    return {
        "name": "ratios",
        "peer": peer,
        "speed": speed["polyphon-train"] / speed[peer],
        "speed_by_processor_time": work["polyphon-train"] / work[peer],
        "memory": memory["polyphon-train"] / memory[peer],
        "memory_to_least": memory["polyphon-train"] / least,
        "tokens_per_second": speed,
        "tokens_per_processor_second": work,
        "peak_mb": memory,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="GGUF of architecture llama")
    parser.add_argument("--trainer", default=ROOT / "build/release/polyphon-train")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--precisions", default="bf16,f32", help="of PEFT")
    parser.add_argument("--child", choices=["f32", "bf16"], help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        peft_child(arguments, arguments.data)
        return
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.jsonl"
        make_data(data, arguments.steps)
        for _ in range(arguments.rounds):
            runs.append(run_ours(arguments, data))
            print(json.dumps(runs[-1]), flush=True)
            for precision in arguments.precisions.split(","):
                runs.append(run_peft(arguments, data, precision))
                print(json.dumps(runs[-1]), flush=True)
    print(json.dumps(summary(runs)))


if __name__ == "__main__":
    main()
