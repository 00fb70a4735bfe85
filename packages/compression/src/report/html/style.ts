// The look of the page. No style attributes anywhere, so that the page's policy can name this text by
// its hash.
export const STYLE = `
:root{color-scheme:light dark;--ink:#18212f;--dim:#5b6675;--line:#dde3ea;--page:#f6f8fa;--card:#fff;
--soft:#eef2f6;--before:#9aa7b8;--after:#2563c9;--good:#1a7f4b;--bad:#b3372b;--warn:#9a6200;
--goodsoft:#e3f4ea;--badsoft:#fbe9e7;--warnsoft:#fcf1dc}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--dim:#98a4b4;--line:#2e3845;--page:#10151c;
--card:#171e27;--soft:#202935;--before:#6b7889;--after:#6ba3f5;--good:#5cc98d;--bad:#f08a7d;
--warn:#e0b04f;--goodsoft:#15301f;--badsoft:#3a1d1a;--warnsoft:#33280f}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:32px}
h1{font-size:26px;line-height:1.25;margin:4px 0 12px;letter-spacing:-.01em}
h2{font-size:18px;margin:0 0 4px}
h3{font-size:14px;margin:20px 0 8px}
p{margin:6px 0;max-width:80ch}
.kicker{color:var(--dim);font-size:13px;margin:0}
.lead{font-size:17px;margin:0 0 12px}
.note,figcaption{color:var(--dim);font-size:13px;max-width:90ch}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:16px 0 20px;font-size:13px}
a{color:var(--after)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:20px 22px;
margin:0 0 16px}
code{font:12.5px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;
unicode-bidi:isolate}
pre{background:var(--soft);border-radius:8px;padding:12px 14px;overflow-x:auto;margin:8px 0}
.pill{display:inline-block;border-radius:999px;padding:1px 10px;font-size:12.5px;font-weight:600;
white-space:nowrap}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.dim{color:var(--dim)}
.pill.good{background:var(--goodsoft)}.pill.bad{background:var(--badsoft)}
.pill.warn{background:var(--warnsoft)}.pill.plain{background:var(--soft);color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px;margin:0 0 16px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.tile h2{font-size:13px;font-weight:500;color:var(--dim);margin:0}
.tile .figure{font-size:25px;font-weight:650;line-height:1.3;font-variant-numeric:tabular-nums}
.tile .pair{font-size:13px;color:var(--dim);font-variant-numeric:tabular-nums;margin:0 0 6px}
.tile svg{display:block;width:100%;height:14px}
ul.notes{margin:0 0 16px;padding:0;list-style:none}
ul.notes li{border-left:4px solid var(--warn);background:var(--warnsoft);padding:7px 12px;
margin:0 0 6px;border-radius:4px}
ul.notes li.bad{border-color:var(--bad);background:var(--badsoft);color:inherit}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums;margin:8px 0}
th{text-align:left;font-weight:600;color:var(--dim);font-size:12.5px;border-bottom:1px solid var(--line);
padding:5px 12px 5px 0;vertical-align:bottom}
td{border-bottom:1px solid var(--line);padding:6px 12px 6px 0;vertical-align:top}
tr:last-child>td{border-bottom:0}
td.number,th.number{text-align:right;white-space:nowrap}
td .why{display:block;color:var(--dim);font-size:12.5px}
tr.chosen .name{font-weight:650}
.bars{margin:10px 0;font-size:13px}
.bar{display:grid;grid-template-columns:minmax(120px,32%) 1fr 110px;gap:2px 12px;align-items:center;
padding:2.5px 0}
.bar .label{overflow-wrap:anywhere;line-height:1.3}
.bar .value{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;line-height:1.3}
.bar svg,td svg,.legend svg{display:block;width:100%}
td svg{min-width:60px}
.h1{height:12px}.h2{height:20px}.h3{height:22px}
.before{fill:var(--before)}.after{fill:var(--after)}.goodfill{fill:var(--good)}.badfill{fill:var(--bad)}
.track{fill:var(--soft)}.axis{stroke:var(--dim);stroke-width:1}.grid{stroke:var(--line);stroke-width:1}
.linebefore{stroke:var(--before);stroke-width:3}.lineafter{stroke:var(--after);stroke-width:3}
.shade{fill:var(--after);opacity:.13}.edge{stroke:var(--after);stroke-width:1.5}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:12.5px;color:var(--dim);margin:6px 0}
.legend span{display:inline-flex;align-items:center;gap:6px}
.legend svg{width:12px;height:12px}
.scale{display:grid;grid-template-columns:minmax(120px,32%) 1fr 110px;gap:0 12px;font-size:12px;
color:var(--dim)}
.scale .ends{display:flex;justify-content:space-between;grid-column:2}
details{margin:8px 0}
summary{cursor:pointer;font-weight:600;font-size:14px;padding:3px 0}
.histograms{display:grid;grid-template-columns:repeat(auto-fill,minmax(230px,1fr));gap:18px 20px;
margin:12px 0}
.histograms figure{margin:0;min-width:0}
.histograms svg{display:block;width:100%;height:70px;background:var(--soft);border-radius:6px}
.histograms .ends{display:flex;justify-content:space-between;font-size:11.5px;color:var(--dim)}
.histograms figcaption{font-size:12px;line-height:1.35;color:var(--dim);overflow-wrap:anywhere}
.histograms figcaption code{color:var(--ink)}
.columns{display:grid;grid-template-columns:1fr 1fr;gap:8px 36px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;font-size:13.5px;margin:8px 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--dim);font-size:12.5px;padding-bottom:36px}
@media(max-width:820px){.columns{grid-template-columns:1fr}}
@media(max-width:720px){
main,header,footer{padding-left:14px;padding-right:14px}section{padding:16px 14px}h1{font-size:22px}
.tiles{grid-template-columns:1fr 1fr}.tile .figure{font-size:21px}
.bar{grid-template-columns:1fr max-content;padding:5px 0}.bar .label{grid-column:1}
.bar .value{grid-column:2}.bar svg{grid-column:1/-1;grid-row:2}
.scale{grid-template-columns:1fr}.scale .ends{grid-column:1}
table.cards thead{display:none}
table.cards tr{display:block;border-bottom:1px solid var(--line);padding:9px 0}
table.cards td{display:grid;grid-template-columns:104px 1fr;gap:0 10px;border:0;padding:2px 0;
text-align:left}
table.cards td::before{content:attr(data-label);color:var(--dim);font-size:12.5px}
table.cards td.empty{display:none}
table.cards td[data-label=""]{grid-template-columns:1fr;font-weight:600}
table.cards td[data-label=""]::before{display:none}
dl{grid-template-columns:1fr}dd{margin-bottom:6px}}
@media print{body{background:#fff}section,.tile{break-inside:avoid;border-color:#ccc}nav{display:none}}
`
