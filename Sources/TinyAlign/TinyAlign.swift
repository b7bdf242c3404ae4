// The whole library under one name.
@_exported public import Alignment
@_exported public import ChatTemplates
@_exported public import Checkpoints
@_exported public import Hub
@_exported public import JSON
@_exported public import Kernels
@_exported public import PolicyGradients
@_exported public import Reports
@_exported public import Rewards
@_exported public import Runs
@_exported public import Tokenizers
@_exported public import Transformers
