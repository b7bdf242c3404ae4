/// Whether bytes are the text that Git keeps in place of a large file, https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md.
func isGitLFSPointer(_ bytes: UnsafeRawBufferPointer) -> Bool {
  bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8)
}

/// The error that names such a file as what it is.
func gitLFSPointer(_ file: String) -> CheckpointError {
  .unsupported(
    file: file, reason: "this is a Git LFS pointer, not the file itself", hint: "fetch the file with: git lfs pull")
}
