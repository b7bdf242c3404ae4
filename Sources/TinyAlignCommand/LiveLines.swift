import Foundation
import Reports
import Synchronization

/// A few lines of standard error that are drawn again and again in one place.
///
/// The cursor rests at the beginning of the first of them, so that whatever becomes of the lines below, also when the
/// window gets narrower and they are broken, erasing to the end of the screen takes them all away.
final class LiveLines: Sendable {
  /// Makes the lines for a window of so many columns and rows.
  typealias Picture = @Sendable (_ columns: Int, _ rows: Int) -> [String]

  private struct State {
    var picture: Picture?
    /// Whether the picture is newer than what is on the screen.
    var isStale = false
    var window = Window(columns: 0, rows: 0)
    var drawn: ContinuousClock.Instant?
    var hasTicker = false
  }

  private let state = Mutex(State())
  /// How many lines are on the screen.
  private static let shownLines = Atomic<Int>(0)

  /// Draws at most so often.
  private static let interval = Duration.milliseconds(60)

  /// Shows a new picture, at once or very soon.
  func draw(_ picture: @escaping Picture) {
    let startsTicker = state.withLock { state in
      state.picture = picture
      state.isStale = true
      if state.drawn.map({ ContinuousClock.now - $0 >= Self.interval }) ?? true { Self.show(&state) }
      defer { state.hasTicker = true }
      return !state.hasTicker
    }
    guard startsTicker else { return }
    Self.eraseWhenSuspended()
    // Draws what had to wait, and everything again in a window of another size, also in the middle of a long step.
    Thread.detachNewThread { [self] in
      while tick() { usleep(100_000) }
    }
  }

  /// Takes the lines away until the next picture.
  func erase() {
    state.withLock { state in
      state.picture = nil
      Self.eraseAtOnce()
    }
  }

  /// Takes the lines away and writes the last picture as plain lines that stay.
  func settle() {
    let last = state.withLock { $0.picture.map { picture in Self.lines(picture, Window()) } }
    erase()
    for line in last ?? [] { Terminal.note(line) }
  }

  /// Takes the lines away; the handler of a signal may call this.
  ///
  /// They are emptied one by one: some terminals keep what is erased from the top of the window to its end.
  static func eraseAtOnce() {
    let count = shownLines.exchange(0, ordering: .sequentiallyConsistent)
    guard count > 0 else { return }
    write("\r\u{1B}[2K")
    for _ in 1..<count { write("\n\u{1B}[2K") }
    // What is left of lines that were broken.
    write("\u{1B}[J\u{1B}[?7h")
    for _ in 1..<count { write("\u{1B}[A") }
  }

  /// Draws again where that is due; false where there is nothing to draw any more.
  private func tick() -> Bool {
    state.withLock { state in
      guard state.picture != nil else {
        state.hasTicker = false
        return false
      }
      let isGone = Self.shownLines.load(ordering: .relaxed) == 0
      if state.isStale || isGone || Window() != state.window { Self.show(&state) }
      return true
    }
  }

  private static func lines(_ picture: Picture, _ window: Window) -> [String] {
    // The last column stays free: some terminals break a line that fills it.
    picture(window.columns - 1, window.rows - 1).map { TerminalText.visible($0, inOneLine: true) }
  }

  /// Draws in one piece, each line over the old one, so that nothing flickers.
  private static func show(_ state: inout State) {
    guard let picture = state.picture else { return }
    let window = Window()
    let lines = lines(picture, window)
    // A line that the terminal finds longer than this program does is cut, not broken (autowrap is off meanwhile).
    var text = "\r\u{1B}[?7l"
    for (index, line) in lines.enumerated() { text += (index == 0 ? "" : "\r\n") + "\u{1B}[2K" + line }
    text += "\u{1B}[J\u{1B}[?7h\r"
    if lines.count > 1 { text += "\u{1B}[\(lines.count - 1)A" }
    shownLines.store(lines.count, ordering: .sequentiallyConsistent)
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    (state.isStale, state.window, state.drawn) = (false, window, .now)
  }

  /// Writes to standard error; the handler of a signal may call this.
  static func write(_ text: StaticString) {
    _ = Foundation.write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }

  /// A shell that takes over (Ctrl-Z) finds a clean screen.
  private static func eraseWhenSuspended() {
    handleUnlessIgnored(SIGTSTP) { _ in LiveLines.suspend() }
  }

  /// Does what the signal does by default, once the lines are gone.
  private static func suspend() {
    eraseAtOnce()
    signal(SIGTSTP, SIG_DFL)
    raise(SIGTSTP)
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTSTP)
    // It is blocked while its handler runs; here the program stops, and here it goes on.
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    eraseWhenSuspended()
  }
}

/// How large the terminal's window is.
private struct Window: Equatable {
  var columns: Int
  var rows: Int

  init(columns: Int, rows: Int) {
    self.columns = columns
    self.rows = rows
  }

  /// The window of standard error, 80 columns by 24 rows where that is not known.
  init() {
    var size = winsize()
    let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 && size.ws_row > 0
    self.init(columns: isKnown ? Int(size.ws_col) : 80, rows: isKnown ? Int(size.ws_row) : 24)
  }
}
