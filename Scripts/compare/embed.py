"""Times sentence-transformers' encode with a loaded model, after a first call, at the faster of two batch sizes."""

import argparse
import pathlib
import re
import time

from reference import END_OF_TEXT, finish


def documents(file):
    """The documents of a text file, separated by lines that read <|endoftext|>."""
    parts = re.split(rf"^{re.escape(END_OF_TEXT)}$", pathlib.Path(file).read_text(encoding="utf8"), flags=re.MULTILINE)
    return [part.strip() for part in parts if part.strip()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minilm", required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--file", required=True, help="text file with the documents")
    options = parser.parse_args()

    from sentence_transformers import SentenceTransformer

    embedder = SentenceTransformer(options.minilm, device="cpu")
    texts = documents(options.file)
    seconds = {}
    for batch in (32, 128):
        for _ in range(2):
            start = time.perf_counter()
            embedder.encode(texts, batch_size=batch, show_progress_bar=False)
            seconds[batch] = time.perf_counter() - start
    fastest = min(seconds, key=seconds.get)
    finish(value=seconds[fastest], note=f"batches of {fastest}")


if __name__ == "__main__":
    main()
