import Crypto
import Foundation
public import Runs

/// The report of a run: one HTML page that needs nothing else, light and dark, for screens of any width and for paper.
///
/// - Throws: `RunError` where the run cannot be read.
public func htmlReport(_ run: RunReader) throws -> String { HTMLReport(try ReportData(run)).page }

/// The SHA-256 of a script as a content security policy names it: in base 64.
package func contentDigest(of script: String) -> String {
  Data(SHA256.hash(data: Data(script.utf8))).base64EncodedString()
}

/// The page of a report, put together from its sections.
struct HTMLReport {
  let data: ReportData

  init(_ data: ReportData) { self.data = data }

  var page: String {
    let headline = ReportHeadline(data: data)
    let stories = ReportStories(data)
    let sections = [
      headline.html,
      curves,
      tree ?? "",
      stories.beforeAndAfter() ?? "",
      stories.stepByStep() ?? "",
      stories.bestAndWorst() ?? "",
      recipe,
      "<h2>Where it comes from</h2>\n\(ReportTables.provenance(data.manifest))",
      "<h2>What the words mean</h2>\n\(glossaryHTML())",
    ]
    let style = ["theme.css", "pictures.css", "report.css"].map(pageAsset).joined(separator: "\n")
    let script = Self.script
    // The policy keeps the page from loading anything and from running anything but this script, whatever a story may say.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(contentDigest(of: script))'"
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta http-equiv="Content-Security-Policy" content="\(policy)"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(escaped(headline.title)) – TinyAlign</title>
      <style>\(style)</style>
      </head>
      <body>
      <main>
      \(sections.filter { !$0.isEmpty }.joined(separator: "\n"))
      <footer>Written by TinyAlign \(escaped(data.manifest.programVersion)) from <code>\(RunFolder.manifest)</code>, \
      <code>\(RunFolder.metrics)</code>, <code>\(RunFolder.samples)</code>, <code>\(RunFolder.followedStories)</code> and \
      <code>\(RunFolder.storyTrees)</code>; it loads nothing from elsewhere.</footer>
      </main>
      <script>\(script)</script>
      </body>
      </html>

      """
  }

  /// What makes charts, tree and heat maps answer; the page is complete without it.
  private static var script: String {
    let files = ["charts.js", "tree.js", "heatmap.js", "recipe.js"].map(pageAsset)
    let start = """
      for (const wire of [TinyAlign.charts, TinyAlign.tree, TinyAlign.heatMap, TinyAlign.recipe]) wire(document.body);

      """
    return (files + [start]).joined(separator: "\n")
  }

  private var curves: String {
    guard !data.metrics.isEmpty else { return "" }
    let panels = metricPanels([RunCurve(label: "this run", metrics: data.metrics, clip: data.manifest.clip)]).map {
      """
      <figure class="panel" data-key="\($0.key)">
      <figcaption><b>\(escaped($0.title))</b> \(escaped($0.help))</figcaption>
      \($0.chart.embedded())
      </figure>
      """
    }
    return """
      <h2>How it went</h2>
      <p class="intro">Reward should rise; KL says what that cost in likeness to the original model. The other curves \
      show early when language starts to suffer.</p>
      <div class="charts">\(panels.joined(separator: "\n"))</div>
      """
  }

  private var recipe: String {
    """
    <h2>The recipe</h2>
    <p class="intro">Every setting as it was used, defaults and flags resolved.</p>
    \(ReportTables.recipe(data.manifest))
    """
  }

  /// The trees of all prompts, those after the first folded.
  private var tree: String? {
    let pictures = data.treePictures
    guard let first = pictures.first else { return nil }
    let more = zip(data.trees, pictures).dropFirst().map { tree, picture in
      """
      <details class="more"><summary><bdi>\(escaped(PictureText.name(tree.prompt, words: data.labels.words(of: tree.prompt), 120)))</bdi>\
      </summary><div class="card">\(picture.html)</div></details>
      """
    }
    return """
      <h2>What it would say</h2>
      <p class="intro">The model's own probabilities, not what happened to be sampled: where the probability of each \
      word went.</p>
      <div class="card">\(first.html)</div>
      \(more.joined(separator: "\n"))
      """
  }
}

extension ReportData {
  /// The trees of the prompts under the reference and under the trained model.
  var treePictures: [StoryTreePicture] {
    trees.map { tree in
      StoryTreePicture(
        before: .init(
          label: manifest.reference == nil ? "before training" : "the reference", tree: tree, probability: .reference),
        after: .init(
          label: "after \(Numbers.counted(tree.step, "update", "updates"))", tree: tree, probability: .policy),
        words: labels.words(of: tree.prompt), finding: findings[tree.prompt])
    }
  }

  /// The first followed story as it was last told, where its tokens are known.
  var heatMap: HeatMap? {
    guard let index = followed.first?.index, let story = tellings(of: index).last, !story.tokens.isEmpty else {
      return nil
    }
    return HeatMap(story: story, words: labels.words(of: story.prompt))
  }
}
