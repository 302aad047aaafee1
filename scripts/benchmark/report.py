"""The figures: medians over the rounds, as a table or as JSON. Ratios only; absolute numbers mean nothing elsewhere."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from benchmark import batches, directory, ldap_lookups
from benchmark.memory import Sample
from benchmark.rounds import Rate, Round

AIMS = {"AcquireLicense, cold": 0.07, "AcquireLicense, hot": 0.15}
LATENCY_AIM = 3.0
DIRECTORY_AIM = 1.3
_BUSY = 0.9


def summary(rounds: Sequence[Round]) -> dict[str, Any]:
    """Median, smallest and largest of every figure."""
    return {
        "machine": {"processor": _processor(), "python": platform.python_version()},
        "rounds": len(rounds),
        "core_share_of_openssl": _spread([r.share for r in rounds]),
        "operations": {
            name: {
                "ratio": _spread(_rates(rounds, name, lambda rate: rate.per_second)),
                "ratio_per_cpu_second": _spread(_rates(rounds, name, lambda rate: rate.per_cpu_second)),
                "aim": AIMS.get(name),
            }
            for name in rounds[0].rates
        },
        "latency": {"p99_ratio": _spread([r.latency for r in rounds]), "aim": LATENCY_AIM},
    }


def table(rounds: Sequence[Round]) -> str:
    """The same for people."""
    figures = summary(rounds)
    lines = [
        f"Median of {len(rounds)} rounds (smallest to largest). A ratio of 0.10: while the core makes 100 RSA-2048",
        "signatures by `openssl speed`, the server answers 10 requests.",
        "",
        f"{'operation':26} {'requests / signatures':>24} {'per processor second':>24}   aim",
    ]
    for name, operation in figures["operations"].items():
        aim = f"{operation['aim']:.2f}" if operation["aim"] else "-"
        ratio, cpu = _text(operation["ratio"]), _text(operation["ratio_per_cpu_second"])
        lines.append(f"{name:26} {ratio:>24} {cpu:>24}   {aim}")
    latency = _text(figures["latency"]["p99_ratio"], 2)
    lines += [
        "",
        "p99 of 50 simultaneous GetClientLicensorCert, key pool full, as a multiple of the p99 of 50 simultaneous",
        f"AcquireTemplateInformation: {latency}   aim: at most {LATENCY_AIM:.0f}",
    ]
    share = figures["core_share_of_openssl"]["median"]
    if share < _BUSY:
        lines += [
            "",
            f"openssl got only {share:.0%} of the core: something else was running; trust the last column more.",
        ]
    return "\n".join(lines)


def memory_table(samples: Sequence[Sample]) -> str:
    last = [s.mebibytes for s in samples[len(samples) // 2 :]]
    growth = last[-1] - last[0]
    rows = [f"{s.licences:9} {s.mebibytes:8.0f} MiB" for s in samples]
    return "\n".join([" licences   memory", *rows, f"Growth over the second half: {growth:+.0f} MiB."])


def directory_summary(rounds: Sequence[directory.Round], ldap: Sequence[ldap_lookups.Round] | str) -> dict[str, Any]:
    """Median, smallest and largest of every figure; of LDAP the reason where there is none."""
    cases = {
        "groups remembered": [r.remembered for r in rounds],
        "directory just changed": [r.changed for r in rounds],
    }
    return {
        "machine": {"processor": _processor(), "python": platform.python_version()},
        "rounds": len(rounds),
        "large_over_small": {
            name: {
                "p50_ratio": _spread([c.p50 for c in comparisons]),
                "rate_ratio_per_cpu_second": _spread([c.per_cpu_second for c in comparisons]),
            }
            for name, comparisons in cases.items()
        },
        "aim": DIRECTORY_AIM,
        "ldap": ldap if isinstance(ldap, str) else {"cold_over_cached": _spread([r.cold_over_cached for r in ldap])},
    }


def directory_table(
    rounds: Sequence[directory.Round], ldap: Sequence[ldap_lookups.Round] | str, small: int, large: int
) -> str:
    figures = directory_summary(rounds, ldap)
    lines = [
        f"Hot AcquireLicense with {large:,} users and groups, as a multiple of that with {small:,}.",
        f"Median of {len(rounds)} rounds (smallest to largest).",
        "",
        f"{'':24} {'p50 latency':>24} {'per processor second':>24}",
    ]
    for name, case in figures["large_over_small"].items():
        p50, rate = _text(case["p50_ratio"], 2), _text(case["rate_ratio_per_cpu_second"], 2)
        lines.append(f"{name:24} {p50:>24} {rate:>24}")
    lines += [f"aim: p50 at most {DIRECTORY_AIM}", ""]
    if isinstance(ldap, str):
        lines.append(f"LDAP lookups were not measured: {ldap}")
    else:
        lines.append(f"LDAP, account and groups, p50 cold / cached: {_text(figures['ldap']['cold_over_cached'], 0)}")
    return "\n".join(lines)


def batch_summary(rounds: Sequence[batches.Round]) -> dict[str, Any]:
    """Median, smallest and largest: items per processor second over signatures by items in a request, and the slope."""
    return {
        "machine": {"processor": _processor(), "python": platform.python_version()},
        "rounds": len(rounds),
        "operations": {
            name: {
                "ratio_per_cpu_second": {
                    length: _spread([r[name].per_cpu_second[length] for r in rounds]) for length in batches.LENGTHS
                },
                "slope": _spread([r[name].slope for r in rounds]),
            }
            for name in rounds[0]
        },
    }


def batch_table(rounds: Sequence[batches.Round]) -> str:
    """The same for people."""
    operations = batch_summary(rounds)["operations"]
    lines = [
        "Items (licences) per second of the server's processor time, over signatures per second of openssl's.",
        f"Median of {len(rounds)} rounds.",
        "",
        "items in a request   " + "".join(f"{name:>22}" for name in operations),
    ]
    for length in batches.LENGTHS:
        figures = [operation["ratio_per_cpu_second"][length]["median"] for operation in operations.values()]
        lines.append(f"{length:18}   " + "".join(f"{figure:22.3f}" for figure in figures))
    lines += ["", "What one more item costs, as a multiple of a request with one (smallest to largest):"]
    lines += [f"{name:22} {_text(operation['slope'], 2)}" for name, operation in operations.items()]
    return "\n".join(lines)


def _rates(rounds: Sequence[Round], name: str, value: Callable[[Rate], float]) -> list[float]:
    return [value(r.rates[name]) for r in rounds]


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "smallest": min(values), "largest": max(values)}


def _text(spread: dict[str, float], digits: int = 3) -> str:
    median, smallest, largest = (f"{spread[key]:.{digits}f}" for key in ("median", "smallest", "largest"))
    return f"{median} ({smallest} to {largest})"


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
