"""Writes the golden files of the BERT encoder and of the sentence embedder.

    python Scripts/goldens/bert.py MINILM_FOLDER

Tests/TransformersTests/Goldens/bert-*: a small random BERT and the hidden states that transformers computes with it.
Tests/RewardsTests/Goldens/embeddings.json: what sentence-transformers makes of hard texts with all-MiniLM-L6-v2.
Written with torch 2.13.0, transformers 5.23.0, sentence-transformers 6.2.0.
"""

import json
import random
import sys
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel

TESTS = Path(__file__).resolve().parents[2] / "Tests"


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=True) + "\n")


def numbers(tensor):
    """Seven digits beyond the point: a hundredth of what the tests tolerate."""
    return [round(x, 7) for x in tensor.flatten().tolist()]


def write_encoder():
    torch.manual_seed(7)
    # The deviation is large so that attention is far from even and every part matters.
    configuration = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=24, type_vocab_size=2, initializer_range=0.3, layer_norm_eps=1e-5)
    model = BertModel(configuration).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.2)
    folder = TESTS / "TransformersTests" / "Goldens" / "bert-small"
    model.save_pretrained(folder)
    generator = random.Random(7)
    texts = [[generator.randrange(50) for _ in range(n)] for n in (1, 5, 24, 2, 17, 5, 9)]
    with torch.no_grad():
        hidden = [model(torch.tensor([ids])).last_hidden_state[0] for ids in texts]
    write(folder / "expected.json", {
        "texts": texts, "hidden": [numbers(h) for h in hidden], "means": [numbers(h.mean(0)) for h in hidden]})


def write_embeddings(model_folder):
    model = SentenceTransformer(model_folder, device="cpu")
    texts = [
        "", " ", "cat", "Cat", "Once upon a time there was a cat", "Once upon a time there was a dog.",
        "  Tabs\tand\nnew lines, and  spaces \u00a0\u3000", "\u0000\u0007control\u200bcharacters\ufeff",
        "caf\u00e9 na\u00efve \u00dcber", "cafe\u0301 nai\u0308ve U\u0308ber", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
        "\u65e5\u672c\u8a9e\u306e\u6587", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "\uc548\ub155\ud558\uc138\uc694 \u0928\u092e\u0938\u094d\u0924\u0947",
        "\U0001f431 and \U0001f436\u200d\U0001f9b4", "[SEP] in a text [MASK] [UNK]", "don't-stop...!?(ever)", "a" * 150,
        "supercalifragilisticexpialidocious", "One day, a girl named Lily found a needle in her room. " * 12,
        "word " * 253 + "then", "word " * 254 + "then", "word " * 255 + "then", "The end of a long story. " * 400,
    ]
    embeddings = [model.encode([text])[0] for text in texts]
    write(TESTS / "RewardsTests" / "Goldens" / "embeddings.json", [
        {"text": text, "embedding": numbers(torch.tensor(embedding))} for text, embedding in zip(texts, embeddings)])


if __name__ == "__main__":
    write_encoder()
    write_embeddings(sys.argv[1])
