"""The table: figures of both servers side by side, as text or as Markdown."""

import statistics


class Table:
    def __init__(self, options):
        self.options = options

    def wanted(self, title):
        """Whether the figure of this title is asked for."""
        return not self.options.only or any(word in title for word in self.options.only.split(","))

    def compare(self, title, unit, measure, servers):
        """Measures both servers round by round and shows the medians and the ratio."""
        if not self.wanted(title):
            return
        servers = list(servers)
        figures = {server.name: [] for server in servers}
        for _ in range(self.options.rounds):
            for server in servers:
                figures[server.name].append(measure(server))
        ours, theirs = (figures[server.name] for server in servers)
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        spread = f"{statistics.median(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"
        self.show(title, unit, f"{statistics.median(ours):,.1f}", f"{statistics.median(theirs):,.1f}", spread)

    def alone(self, title, unit, text, ratio=None):
        """Shows a figure that PostgreSQL does not have, perhaps with a ratio of its own."""
        self.show(title, unit, text, "–", (f"{ratio:.2f}", "", "") if ratio else ("–", "", ""))

    def show(self, title, unit, ours, theirs, spread):
        ratio, least, greatest = spread
        if self.options.markdown:
            between = f" ({least}–{greatest})" if least else ""
            print(f"| {title} | {unit} | {ours} | {theirs} | {ratio}{between} |", flush=True)
        else:
            between = f" [{least} {greatest}]" if least else ""
            print(f"{title:50} {ours:>18} {theirs:>12} {unit:6} {ratio:>6}{between}", flush=True)

    def header(self):
        if self.options.markdown:
            print("| what | unit | Postilion | PostgreSQL 15 | ratio |\n|---|---|---|---|---|")
        else:
            print(f"{'':50} {'Postilion':>18} {'PostgreSQL':>12} {'':6}  ratio [spread]")
