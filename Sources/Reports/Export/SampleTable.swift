package import Runs

/// The table of all samples line by line, for readers who have the samples at hand already.
package enum SampleTable {
  /// The columns' names, as the first line.
  package static var header: String { CSV.samplesHeader }

  /// A sample as a line.
  package static func line(of sample: SampleRecord) -> String { CSV.line(of: sample) }
}
