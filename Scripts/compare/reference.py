"""What the reference scripts share. Imports of torch and transformers wait until they are needed: loading is timed."""

import json
import sys

PROMPT = "Once upon a time there was"
PROMPT_TOKENS = [7454, 2402, 257, 640, 612, 373]
END_OF_TEXT = "<|endoftext|>"


def load_model(folder):
    """The causal language model in a folder, in float32, and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, dtype="float32"), AutoTokenizer.from_pretrained(folder)


def similarity_reward(folder, target="cat"):
    """The published reward: a function from texts to the cosine similarities of their embeddings to the target's."""
    import torch
    from sentence_transformers import SentenceTransformer, util

    embedder = SentenceTransformer(str(folder), device="cpu")
    reference = embedder.encode(target, convert_to_tensor=True, show_progress_bar=False)

    def reward(texts):
        with torch.no_grad():
            embeddings = embedder.encode(texts, convert_to_tensor=True, show_progress_bar=False)
            return util.cos_sim(reference, embeddings)[0]

    return reward


def scaled(work, fixed, stories, scale_to):
    """Seconds of a step of `scale_to` stories: the work grows with the stories, the optimiser's update does not."""
    return work * (scale_to or stories) / stories + fixed


def finish(**result):
    """Prints the result as one line of JSON, the last of standard output."""
    import torch

    json.dump({**result, "threads": torch.get_num_threads()}, sys.stdout)
    print(flush=True)
