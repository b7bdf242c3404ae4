import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The proxies of the environment variables, for a session.
///
/// On Linux the library below URLSession reads the variables itself, but not HTTP_PROXY in capitals, which a web
/// server could be made to set for its children; a command on a terminal has no such parent, and huggingface_hub reads
/// it too. On a Mac URLSession knows the system's settings only, so there the variables are handed over.
enum ProxySettings {
  /// The variables to set so that the library below URLSession finds what the user set in capitals.
  static func missing(in environment: [String: String]) -> [String: String] {
    var missing: [String: String] = [:]
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
      guard setting(name, environment) == nil, let value = setting(name.uppercased(), environment) else { continue }
      missing[name] = value
    }
    return missing
  }

  static func apply(to configuration: URLSessionConfiguration, environment: [String: String]) {
    #if canImport(Darwin)
      var dictionary: [AnyHashable: Any] = [:]
      let all = setting("all_proxy", environment) ?? setting("ALL_PROXY", environment)
      for (scheme, prefix) in [("http", "HTTP"), ("https", "HTTPS")] {
        let value = setting("\(scheme)_proxy", environment) ?? setting("\(prefix)_PROXY", environment) ?? all
        guard let value, let url = URL(string: value.contains("://") ? value : "http://" + value), let host = url.host
        else { continue }
        dictionary["\(prefix)Enable"] = 1
        dictionary["\(prefix)Proxy"] = host
        dictionary["\(prefix)Port"] = url.port ?? 80
      }
      guard !dictionary.isEmpty else { return }
      let exceptions = setting("no_proxy", environment) ?? setting("NO_PROXY", environment) ?? ""
      dictionary["ExceptionsList"] = exceptions.split(separator: ",").flatMap { part -> [String] in
        let name = part.trimmingCharacters(in: .whitespaces)
        return name.hasPrefix(".") ? ["*" + name] : [name, "*." + name]
      }
      configuration.connectionProxyDictionary = dictionary
    #else
      for (name, value) in missing(in: environment) { setenv(name, value, 1) }
    #endif
  }
}
