"""Times a training step of TRL's RLOOTrainer on the published shapes, prompt and reward, with a reference model."""

import argparse
import statistics
import tempfile
import time

from reference import PROMPT, finish, load_model, scaled, similarity_reward


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="GPT-Neo folder")
    parser.add_argument("--minilm", required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--stories", type=int, default=1024, help="completions of a step (default: 1024)")
    parser.add_argument("--batch", type=int, default=32, help="completions of a backward pass (default: 32)")
    parser.add_argument("--scale-to", type=int, help="stories that the seconds are scaled to (default: as timed)")
    parser.add_argument("--steps", type=int, default=2, help="steps; the first is not counted (default: 2)")
    options = parser.parse_args()
    if options.stories % options.batch or options.steps < 2:
        parser.error("--stories must be a multiple of --batch, and --steps at least 2")

    from datasets import Dataset
    from transformers import TrainerCallback
    from transformers.trainer_callback import PrinterCallback, ProgressCallback
    from trl import RLOOConfig, RLOOTrainer

    similarity = similarity_reward(options.minilm)

    def reward(prompts, completions, **_):
        return similarity([prompt + story for prompt, story in zip(prompts, completions, strict=True)]).tolist()

    class Clock(TrainerCallback):
        """Takes the seconds of each step, those of the optimiser apart."""

        def __init__(self):
            self.seconds = []

        def on_step_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_pre_optimizer_step(self, *_, **__):
            self.before_update = time.perf_counter()

        def on_optimizer_step(self, *_, **__):
            self.after_update = time.perf_counter()

        def on_step_end(self, *_, **__):
            update = self.after_update - self.before_update
            work = time.perf_counter() - self.start - update
            self.seconds.append(scaled(work, update, options.stories, options.scale_to))

    policy, tokenizer = load_model(options.model)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        # Float32 without checkpointing, which is faster here: TRL's own defaults are bfloat16 and recomputation.
        trainer = RLOOTrainer(
            model=policy,
            processing_class=tokenizer,
            reward_funcs=reward,
            train_dataset=Dataset.from_dict({"prompt": [PROMPT] * options.stories}),
            callbacks=[clock],
            args=RLOOConfig(
                output_dir=folder, use_cpu=True, bf16=False, gradient_checkpointing=False, seed=1,
                max_steps=options.steps, per_device_train_batch_size=options.batch,
                gradient_accumulation_steps=options.stories // options.batch, num_generations=options.stories,
                max_completion_length=4, temperature=1.0, top_k=0, top_p=1.0, beta=0.05, learning_rate=2e-6,
                lr_scheduler_type="constant", logging_strategy="no", save_strategy="no", report_to="none",
                disable_tqdm=True, dataloader_pin_memory=False))
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train()
    finish(value=statistics.median(clock.seconds[1:]))


if __name__ == "__main__":
    main()
