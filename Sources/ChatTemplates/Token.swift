/// What the inside of a tag consists of.
enum Token: Equatable {
  /// A name or keyword.
  case name(String)
  /// A string literal, escapes resolved.
  case string(String)
  /// A whole number.
  case integer(Int)
  /// A number with a point or exponent.
  case double(Double)
  /// An operator or bracket.
  case symbol(String)
}

/// A piece of a template.
struct Segment {
  /// What kind of piece.
  enum Kind {
    /// Text that is written as it is.
    case text(String)
    /// `{{ ... }}`.
    case output([LocatedToken])
    /// `{% ... %}`.
    case tag([LocatedToken])
  }

  var kind: Kind
  var line: Int
}

/// A token and its line.
struct LocatedToken {
  var token: Token
  var line: Int
}
