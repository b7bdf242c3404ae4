import Foundation

/// The day and time that `strftime_now` of a template writes.
struct TemplateDate {
  private let components: DateComponents

  init(_ date: Date) {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    components = calendar.dateComponents(
      [.year, .month, .day, .hour, .minute, .second, .weekday, .dayOfYear], from: date)
  }

  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// The date in a format of C's `strftime`, in English.
  ///
  /// - Throws: ``TemplateProblem`` for a directive that is not supported.
  func formatted(_ format: String) throws -> String {
    func two(_ number: Int?) -> String { (number ?? 0) < 10 ? "0\(number ?? 0)" : "\(number ?? 0)" }
    let month = Self.months[((components.month ?? 1) - 1 + 12) % 12]
    let day = Self.days[((components.weekday ?? 1) - 1 + 7) % 7]
    let year = components.year ?? 0
    var result = ""
    var scalars = format.unicodeScalars.makeIterator()
    while let scalar = scalars.next() {
      guard scalar == "%" else {
        result.unicodeScalars.append(scalar)
        continue
      }
      switch scalars.next() {
      case "Y": result += "\(year)"
      case "y": result += two(year % 100)
      case "m": result += two(components.month)
      case "B": result += month
      case "b": result += String(month.prefix(3))
      case "d": result += two(components.day)
      case "A": result += day
      case "a": result += String(day.prefix(3))
      case "H": result += two(components.hour)
      case "I": result += two(((components.hour ?? 0) + 11) % 12 + 1)
      case "M": result += two(components.minute)
      case "S": result += two(components.second)
      case "p": result += (components.hour ?? 0) < 12 ? "AM" : "PM"
      case "j":
        let number = "\(components.dayOfYear ?? 1)"
        result += String(repeating: "0", count: max(0, 3 - number.count)) + number
      case "%": result += "%"
      case let other: throw TemplateProblem("'%\(other.map { excerpt(String($0)) } ?? "")' in a date is not supported")
      }
    }
    return result
  }
}
