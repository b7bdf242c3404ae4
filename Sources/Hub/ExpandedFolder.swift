public import Foundation

/// The folder that an environment variable names, as Python's `expanduser` and `expandvars` read it: with `~` or `~NAME` at its
/// beginning, and with `$NAME` or `${NAME}`, which stay as they are where there is no such variable.
///
/// A shell does not expand what stands in quotes, and nothing does in a service's or container's list of variables.
public func expandedFolder(_ path: String, environment: [String: String]) -> URL {
  URL(filePath: expandingVariables(expandingHome(path, environment), environment), directoryHint: .isDirectory)
}

private func expandingHome(_ path: String, _ environment: [String: String]) -> String {
  guard path.hasPrefix("~") else { return path }
  let user = path.dropFirst().prefix { $0 != "/" }
  let home =
    user.isEmpty
    ? setting("HOME", environment) ?? FileManager.default.homeDirectoryForCurrentUser.path
    : FileManager.default.homeDirectory(forUser: String(user))?.path
  return home.map { $0 + path.dropFirst(1 + user.count) } ?? path
}

private func expandingVariables(_ path: String, _ environment: [String: String]) -> String {
  var text = ""
  var rest = path[...]
  func isNamePart(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || character == "_")
  }
  while let dollar = rest.firstIndex(of: "$") {
    text += rest[..<dollar]
    let after = rest[rest.index(after: dollar)...]
    let isBraced = after.first == "{"
    let name = isBraced ? after.dropFirst().prefix { $0 != "}" } : after.prefix(while: isNamePart)
    let end = isBraced && name.endIndex < after.endIndex ? after.index(after: name.endIndex) : name.endIndex
    text += environment[String(name)] ?? String(rest[dollar..<end])
    rest = rest[end...]
  }
  return text + rest
}
