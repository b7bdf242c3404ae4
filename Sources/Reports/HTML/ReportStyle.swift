/// The style sheet of the report.
enum ReportStyle {
  private static let lightColors = """
    --ground:#fbfaf7;--card:#ffffff;--ink:#1f1e1b;--muted:#6a665e;--hairline:#ebe8e1;--rule:#c9c4b9;\
    --accent:#0072b2;--cool:#b9cfdd;--hot:#d55e00;--warn-ground:#fff4e5;--warn-rule:#e69f00;\
    --note-ground:#eef5fa;--note-rule:#56b4e9;
    """
  private static let darkColors = """
    --ground:#14161a;--card:#1b1e23;--ink:#e9e6df;--muted:#a09c93;--hairline:#2a2e35;--rule:#484d56;\
    --accent:#56b4e9;--cool:#3d5566;--hot:#e8793b;--warn-ground:#2c2417;--warn-rule:#e69f00;\
    --note-ground:#17252f;--note-rule:#56b4e9;
    """

  static let sheet =
    """
    :root{color-scheme:light dark;\(lightColors)\(ChartStyle.variables(ChartStyle.light))
    --sans:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
    --serif:"Iowan Old Style","Palatino Linotype",Palatino,"Book Antiqua",Georgia,"DejaVu Serif",serif;
    --mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
    @media (prefers-color-scheme:dark){:root{\(darkColors)\(ChartStyle.variables(ChartStyle.dark))}}
    \(ChartStyle.page)
    *{box-sizing:border-box}
    body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.6 var(--sans);-webkit-text-size-adjust:100%}
    main{max-width:1040px;margin:0 auto;padding:56px 24px 72px}
    h1{font:600 clamp(1.9rem,5vw,2.7rem)/1.15 var(--serif);margin:6px 0 14px;letter-spacing:-.01em;text-wrap:balance}
    h2{font:600 1.45rem/1.25 var(--serif);margin:60px 0 6px}
    h3{font:600 .95rem/1.4 var(--sans);margin:30px 0 10px}
    p{margin:0 0 12px;max-width:68ch}
    .over,.under{color:var(--muted);font-size:.875rem;margin:0}
    .lead{font-size:1.14rem;line-height:1.6;max-width:64ch}
    .intro{color:var(--muted);max-width:68ch;margin-bottom:20px}
    .tiles{display:grid;grid-template-columns:repeat(3,1fr);gap:1px;margin:30px 0 0;\
    background:var(--hairline);border:1px solid var(--hairline);border-radius:12px;overflow:hidden}
    .tile{background:var(--card);padding:16px 18px}
    .tile dt{font-size:.8rem;color:var(--muted)}
    .tile dd{margin:2px 0 0;font:600 1.5rem/1.3 var(--sans);font-variant-numeric:tabular-nums;letter-spacing:-.01em}
    .tile dd small{display:block;font-size:.8rem;font-weight:400;color:var(--muted);letter-spacing:0}
    .arrow{color:var(--muted);font-weight:400}
    .said{border-left:4px solid var(--note-rule);background:var(--note-ground);border-radius:0 10px 10px 0;\
    padding:14px 18px;margin:16px 0 0}
    .said.warning{border-color:var(--warn-rule);background:var(--warn-ground)}
    .said b{display:block}
    .said p{margin:2px 0 0}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:18px}
    .panel{background:var(--card);border:1px solid var(--hairline);border-radius:12px;padding:14px 14px 8px;margin:0}
    .two{display:grid;grid-template-columns:1fr 1fr;gap:0 28px}
    .heads{font-size:.8rem;color:var(--muted);font-weight:600;margin:0 0 4px}
    .pair{border-top:1px solid var(--hairline);padding:16px 0}
    .label{display:none;font-size:.78rem;color:var(--muted);font-weight:600}
    blockquote{margin:0;font:1.06rem/1.55 var(--serif);white-space:pre-wrap;overflow-wrap:anywhere;max-width:60ch}
    blockquote .prompt{color:var(--muted)}
    .end{color:var(--muted);font-size:.85em}
    .story{padding:12px 0;border-top:1px solid var(--hairline)}
    .story blockquote{font-size:1rem}
    .heat{display:flex;align-items:center;gap:10px;margin-top:7px;font-size:.8rem;color:var(--muted);\
    font-variant-numeric:tabular-nums}
    .heat i{display:block;width:120px;height:6px;border-radius:3px;background:var(--hairline);overflow:hidden;flex:none;\
    -webkit-print-color-adjust:exact;print-color-adjust:exact}
    .heat i::before{content:"";display:block;height:100%;width:calc(var(--h)*100%);border-radius:3px;\
    background:var(--accent);background:color-mix(in oklab,var(--cool),var(--hot) calc(min(1,var(--h)*1.5)*100%))}
    .heat b{color:var(--ink);font-weight:600}
    .scroll{overflow-x:auto}
    table{border-collapse:collapse;width:100%;font-size:.92rem}
    th,td{text-align:left;vertical-align:top;padding:7px 14px 7px 0;border-bottom:1px solid var(--hairline)}
    th{font-weight:400;color:var(--muted);width:15rem}
    td{overflow-wrap:anywhere}
    td.mono,code{font-family:var(--mono);font-size:.86em}
    .terms{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:18px 36px;margin:0}
    .terms dt{font-weight:600}
    .terms dt code{font-weight:400;color:var(--muted);margin-left:6px}
    .terms dd{margin:2px 0 0;color:var(--muted);font-size:.93rem}
    footer{margin-top:64px;padding-top:16px;border-top:1px solid var(--hairline);color:var(--muted);font-size:.85rem}
    @media (max-width:640px){main{padding:32px 18px 48px}h2{margin-top:46px}
    .two{grid-template-columns:1fr;gap:14px}.heads{display:none}.label{display:block}
    .tile{padding:13px 14px}.tiles{grid-template-columns:1fr 1fr}.tile dd{font-size:1.06rem}
    .chart .tick{font-size:13.5px}th{width:9.5rem}.panel{padding:10px 8px 4px;margin:0 -6px}}
    @media print{:root{\(lightColors)\(ChartStyle.variables(ChartStyle.light))--ground:#fff}
    body{font-size:10.5pt}main{max-width:none;padding:0}h2{margin-top:28pt;break-after:avoid}h3{break-after:avoid}
    .panel,.pair,.story,.said,.terms div,tr,.tiles{break-inside:avoid}.charts{grid-template-columns:1fr 1fr}
    .two{grid-template-columns:1fr 1fr}}

    """
}
