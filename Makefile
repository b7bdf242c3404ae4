# `make demo` builds, fetches what it needs and runs the main job to its report; `make test` runs all tests.

UNAME_S := $(shell uname -s)
UNAME_M := $(shell uname -m)

# Swift emits SSE2 unless told otherwise. A build with other flags: make build ARCH_FLAGS=
ifeq ($(UNAME_M),x86_64)
ARCH_FLAGS ?= -Xcc -march=x86-64-v3
endif
SWIFT_FLAGS := -c release $(ARCH_FLAGS)
COMMAND := .build/release/tinyalign
DEMO_RUN ?= runs/demo

.PHONY: help setup reward-model build demo test lint clean

help:
	@echo "make demo          build, fetch the reward model, align the story model toward cats, write a report"
	@echo "make test          install what the tests need and run them all"
	@echo "make build         build $(COMMAND)"
	@echo "make reward-model  fetch the sentence-embedding model that rewards come from"
	@echo "make lint          check the formatting of all Swift files"
	@echo "make clean         remove what was built"

setup:
	@Scripts/install-dependencies

reward-model:
	@Scripts/fetch-reward-model

build: setup
	swift build $(SWIFT_FLAGS)
	@# A link that Swift makes; where there are no symbolic links the program is copied.
	@[ -L .build/release ] || { mkdir -p .build/release && \
	  cp "$$(swift build $(SWIFT_FLAGS) --show-bin-path)/tinyalign" $(COMMAND); }

demo: build reward-model
	@rm -rf $(DEMO_RUN)
	$(COMMAND) align --out $(DEMO_RUN)

lint:
	swift format lint --strict --recursive Sources Tests Benchmarks/Benchmarks Benchmarks/Package.swift Package.swift

test: lint build reward-model
	@Scripts/check-imports
	@Scripts/install-test-dependencies
	swift test $(SWIFT_FLAGS) --skip 'LivePageTests|BrowserTests'
	@echo "The live page by itself: its server would wait for the threads that other tests keep busy."
	swift test $(SWIFT_FLAGS) --skip-build --filter 'LivePageTests|BrowserTests'

clean:
	swift package clean
