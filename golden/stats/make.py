"""Makes tables.json, the expected values of cyclr::stats.

    python3 -m pip install -r requirements.txt && python3 make.py

Distributions come from mpmath at 120 digits (binomial tails from exact fractions), tests from scipy and statsmodels,
numbers of seeds from statsmodels' power by the noncentral t and from numerical integration. Where two libraries can
give a value, they are compared here.
"""

import json
import math
import platform
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import scipy
import statsmodels
from scipy import integrate, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.descriptivestats import sign_test
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

mpmath.mp.dps = 120
rng = np.random.default_rng(20151)


def floats(values):
    return [float(v) for v in values]


# Distributions


def incomplete_beta(a, b, x):
    """I_x(a, b) by the series of positive terms, DLMF 8.17.8, which mpmath's betainc gives up on for large a or b."""
    term = total = mpmath.mpf(1)
    k = 0
    while term > total * mpmath.mpf(10) ** -mpmath.mp.dps:
        term *= (a + b + k) / (a + 1 + k) * x
        total += term
        k += 1
    return total * x**a * (1 - x) ** b / a * mpmath.exp(
        mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b)
    )


def student_tail(t, df):
    """P(T > t) for t >= 0, by the side on which the series is short; good to 1e-100."""
    a, half = mpmath.mpf(df) / 2, mpmath.mpf(1) / 2
    y = mpmath.mpf(t) ** 2 / (df + mpmath.mpf(t) ** 2)
    if y < half:
        return (1 - incomplete_beta(half, a, y)) / 2
    return incomplete_beta(a, half, 1 - y) / 2


def student_cdf(t, df):
    return 1 - student_tail(t, df) if t >= 0 else student_tail(-t, df)


def chi_square_cdf(x, df):
    return mpmath.gammainc(mpmath.mpf(df) / 2, 0, mpmath.mpf(x) / 2, regularized=True)


def normal_scale_root(f, start):
    """The root near start, refined from scipy's double."""
    return mpmath.findroot(f, (mpmath.mpf(start), mpmath.mpf(start) * (1 + mpmath.mpf(10) ** -9)), tol=1e-40, verify=False)


def student_tables():
    cdf, quantile = [], []
    dfs = [1, 2, 3, 4, 5, 6, 9, 10, 19, 30, 49, 99, 250, 999, 12345, 100000, 1000000, 1.5, 7.25]
    for df in dfs:
        for t in [-1e8, -300, -40, -5, -2.5, -1, -0.3, -1e-9, 0, 1e-3, 0.7, 1.7, 3, 9]:
            if t > -12 or df < 100:  # beyond, the values are below 1e-30
                value = student_cdf(t, df)
                assert math.isclose(value, stats.t.cdf(t, df), rel_tol=1e-8), (t, df)
                cdf.append([t, df, float(value)])
        for p in [1e-12, 1e-6, 1e-3, 0.005, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.3, 0.45, 0.499999, 0.5, 0.6, 0.8, 0.975, 0.99999]:
            start = float(stats.t.ppf(p, df))
            exact = mpmath.mpf(0)
            if p != 0.5:
                tail = mpmath.mpf(p) if p < 0.5 else 1 - mpmath.mpf(p)
                exact = normal_scale_root(lambda t: mpmath.log(student_tail(t, df) / tail), abs(start))
                exact = -exact if p < 0.5 else exact
            assert math.isclose(exact, start, rel_tol=1e-7, abs_tol=1e-9), (p, df, start, exact)
            quantile.append([p, df, float(exact)])
    return cdf, quantile


def chi_square_tables():
    cdf, quantile = [], []
    for df in [1, 2, 3, 4, 5, 9, 19, 49, 99, 500, 2500, 40000]:
        for p in [1e-9, 1e-3, 0.025, 0.1, 0.5, 0.9, 0.975, 0.999, 0.9999999]:
            start = float(stats.chi2.ppf(p, df))
            if p < 0.5:
                f = lambda x: mpmath.log(chi_square_cdf(x, df) / mpmath.mpf(p))
            else:
                f = lambda x: mpmath.log((1 - chi_square_cdf(x, df)) / (1 - mpmath.mpf(p)))
            exact = normal_scale_root(f, start)
            assert math.isclose(exact, start, rel_tol=1e-7), (p, df)
            quantile.append([p, df, float(exact)])
            cdf.append([start, df, float(chi_square_cdf(start, df))])
    return cdf, quantile


def binomial_tail(k, n, p):
    """Exact, p being the fraction that the double is."""
    p = Fraction(p)
    if p == Fraction(1, 2):
        return Fraction(sum(math.comb(n, j) for j in range(k, n + 1)), 2**n)
    return sum(math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(k, n + 1))


def binomial_table():
    rows = []
    for n in [0, 1, 2, 5, 17, 40, 100, 301, 2000]:
        for k in sorted({0, 1, n // 3, n // 2, n // 2 + 1, (3 * n) // 4, n, n + 1}):
            rows.append([k, n, 0.5, float(binomial_tail(k, n, 0.5))])
    for n, p in [(7, 0.3), (60, 0.05), (60, 0.9), (200, 0.01)]:
        for k in [0, 1, n // 10, n // 2, int(n * p) + 3, n]:
            rows.append([k, n, p, float(binomial_tail(k, n, p))])
    for k in [4900, 5000, 5001, 5100, 5300]:
        rows.append([k, 10000, 0.5, float(binomial_tail(k, 10000, 0.5))])
    for k, n, p, value in rows:
        assert math.isclose(value, stats.binom.sf(k - 1, n, p), rel_tol=1e-9, abs_tol=1e-300), (k, n, p)
    return rows


# Samples


def summary(values):
    values = np.asarray(values)
    low, high = stats.t.interval(0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return {"mean": float(values.mean()), "sd": float(values.std(ddof=1)), "low": float(low), "high": float(high)}


def summaries():
    cases = [rng.normal(mean, sd, n) for n, mean, sd in
             [(2, 71, 0.3), (3, 0, 1), (5, 71, 0.3), (5, -0.2, 0.01), (10, 93, 2), (30, 1e-4, 1e-5), (100, 5, 40)]]
    return [{"values": floats(values), **summary(values)} for values in cases]


def log_summaries():
    rows = []
    for n, rate, sigma in [(2, 0.01, 0.1), (3, 0.006, 0.4), (5, 1e-4, 1), (8, 2.5, 0.05)]:
        rates = rate * np.exp(rng.normal(0, sigma, n))
        logs = summary(np.log(rates))
        rows.append({"values": floats(rates), "mean": float(stats.gmean(rates)), "ln_sd": logs["sd"],
                     "low": math.exp(logs["low"]), "high": math.exp(logs["high"])})
    return rows


def families():
    """Families of arms against one reference, with every figure that leads to a verdict."""
    rows = []
    for n, arms, shift, sd, margin in [
        (2, 1, 1.0, 0.3, 0.5), (3, 2, 0.0, 0.2, 0.5), (5, 2, 0.0, 0.05, 0.5), (5, 2, 0.4, 0.05, 0.5),
        (5, 3, 0.3, 0.3, 0.5), (5, 3, 1.0, 0.4, 0.5), (5, 5, -1.0, 0.5, 0.5), (10, 4, 0.3, 0.5, 0.5),
        (10, 2, 0.5, 0.2, 1.0), (25, 6, 0.1, 0.3, 0.2), (6, 1, -0.05, 0.02, 0.5), (5, 8, 0.6, 0.4, 0.5),
    ]:
        seeds = rng.normal(0, 1, n)
        reference = 71 + seeds + rng.normal(0, sd, n)
        values = [71 + seeds + shift * (i % 3 - 0.5) + rng.normal(0, sd, n) for i in range(arms)]
        tests = [stats.ttest_rel(arm, reference) for arm in values]
        intervals = [test.confidence_interval(0.95) for test in tests]
        tosts = [ttost_paired(arm, reference, -margin, margin) for arm in values]
        rows.append({
            "reference": floats(reference), "arms": [floats(arm) for arm in values], "margin": margin,
            "t": floats(test.statistic for test in tests), "p": floats(test.pvalue for test in tests),
            "low": floats(i.low for i in intervals), "high": floats(i.high for i in intervals),
            "holm": floats(multipletests([test.pvalue for test in tests], method="holm")[1]),
            "p_below": floats(tost[1][1] for tost in tosts), "p_above": floats(tost[2][1] for tost in tosts),
            "tost": floats(tost[0] for tost in tosts),
            "tost_holm": floats(multipletests([tost[0] for tost in tosts], method="holm")[1]),
        })
    return rows


def unpaired_families(rng):
    """Families of arms on other seeds than the reference's, or on other numbers of them: Welch's tests."""
    rows = []
    for n, sizes, shift, sd, margin in [
        (2, [2], 1.0, 0.3, 0.5), (2, [3, 2], 0.0, 0.2, 0.5), (3, [5, 4], 1.0, 0.1, 0.5), (5, [5, 5], 0.0, 0.05, 0.5),
        (5, [3, 9], 0.3, 0.06, 0.5), (17, [12], -1.2, 0.9, 0.5), (10, [10, 4, 25], 0.5, 0.5, 1.0), (30, [2], 0.2, 0.3, 0.1),
        (8, [40, 3], 0.05, 0.02, 0.5), (500, [700], 0.05, 0.4, 0.2), (6, [6, 6, 6, 6], 0.9, 0.3, 0.5),
    ]:
        reference = 71 + rng.normal(0, sd, n)
        values = [71 + shift * (i % 3 + 1) * (-1) ** i + rng.normal(0, sd * (1 + i), m) for i, m in enumerate(sizes)]
        tests = [stats.ttest_ind(arm, reference, equal_var=False) for arm in values]
        intervals = [test.confidence_interval(0.95) for test in tests]
        tosts = [ttost_ind(arm, reference, -margin, margin, usevar="unequal") for arm in values]
        rows.append({
            "reference": floats(reference), "arms": [floats(arm) for arm in values], "margin": margin,
            "t": floats(test.statistic for test in tests), "p": floats(test.pvalue for test in tests),
            "df": floats(test.df for test in tests),
            "low": floats(i.low for i in intervals), "high": floats(i.high for i in intervals),
            "holm": floats(multipletests([test.pvalue for test in tests], method="holm")[1]),
            "p_below": floats(tost[1][1] for tost in tosts), "p_above": floats(tost[2][1] for tost in tosts),
            "tost": floats(tost[0] for tost in tosts),
            "tost_holm": floats(multipletests([tost[0] for tost in tosts], method="holm")[1]),
        })
    return rows


def unpaired_seeds(rng):
    """Seeds of each arm that would detect the difference seen, at both ends of the 80 % interval of the deviation."""
    rows = []
    for n, m, shift in [(5, 5, 0.4), (5, 3, 0.6), (4, 9, 0.3), (12, 17, 0.2), (3, 3, 0.5)]:
        arm, reference = rng.normal(shift, 1, n), rng.normal(0, 1, m)
        test = stats.ttest_ind(arm, reference, equal_var=False)
        if test.pvalue < 0.05:
            continue
        seen = (arm.mean() - reference.mean()) / math.sqrt((arm.var(ddof=1) + reference.var(ddof=1)) / 2)
        ends = []
        for p in (0.9, 0.1):
            effect = abs(seen) / math.sqrt(test.df / stats.chi2.ppf(p, test.df))
            power = lambda k: TTestIndPower().power(effect, k, 0.05)
            ends.append(next((k for k in range(2, 1000) if power(k) >= 0.8), 1000))
        rows.append({"arm": floats(arm), "reference": floats(reference), "low": ends[0], "high": ends[1]})
    return rows


def correlations(rng):
    """Pearson's r with Fisher's interval."""
    rows = []
    for n, shared in [(4, 0.0), (5, 2.0), (5, -1.0), (8, 0.5), (25, 0.8), (400, 0.1)]:
        common = rng.normal(0, 1, n)
        arm, reference = 71 + shared * common + rng.normal(0, 1, n), 80 + common + rng.normal(0, 0.5, n)
        found = stats.pearsonr(arm, reference)
        interval = found.confidence_interval(0.95)
        rows.append({"arm": floats(arm), "reference": floats(reference), "r": float(found.statistic),
                     "low": float(interval.low), "high": float(interval.high)})
    return rows


def example_spreads():
    """The standard deviation of the share of examples that are right, by scipy's binomial."""
    cases = [(1, 0.5), (100, 0.03), (2000, 0.9), (2000, 0.8588), (10000, 0.9421), (50000, 0.763)]
    return [[n, p, float(stats.binom(n, p).std() / n)] for n, p in cases]


def holm_table():
    cases = [[0.03], [0.01, 0.04], [0.04, 0.01], [0.02, 0.02, 0.02], [1.0, 0.0, 0.5], [0.6, 0.7, 0.8]]
    cases += [floats(rng.beta(0.4, 2, n)) for n in (2, 3, 5, 8, 13)]
    return [{"p": case, "holm": floats(multipletests(case, method="holm")[1])} for case in cases]


# Numbers of seeds


def seeds_to_detect():
    rows = []
    for comparisons in (1, 2, 5):
        for effect in (0.15, 0.3, 0.5, 0.8, 1.2, 2.0, 4.0):
            alpha = 0.05 / comparisons
            power = lambda n: TTestPower().power(effect, n, alpha)
            n = next(n for n in range(2, 5000) if power(n) >= 0.8)
            rows.append([effect, comparisons, n])
    return rows


def tost_power(n, mean, margin, alpha):
    """The chance that a paired TOST claims equivalence, differences being normal with a standard deviation of 1."""
    t = stats.t.ppf(1 - alpha, n - 1)

    def claimed(s):
        room = margin - t * s / math.sqrt(n)
        scale = 1 / math.sqrt(n)
        inside = stats.norm.cdf(room, mean, scale) - stats.norm.cdf(-room, mean, scale)
        return max(inside, 0) * stats.chi.pdf(s * math.sqrt(n - 1), n - 1) * math.sqrt(n - 1)

    width = 12 / math.sqrt(2 * (n - 1))  # s outside 1 +- this has no weight that counts
    low, high = max(0, 1 - width), min(1 + width, margin * math.sqrt(n) / t)
    return integrate.quad(claimed, low, high, limit=400)[0] if low < high else 0.0


def seeds_to_equate():
    rows = []
    for comparisons in (1, 3):
        for margin in (0.3, 0.6, 1.0, 2.0):
            for share in (0.0, 0.3, 0.6):
                mean = share * margin
                low, high = 2, 4000
                while low < high:
                    n = (low + high) // 2
                    if tost_power(n, mean, margin, 0.05 / comparisons) >= 0.8:
                        high = n
                    else:
                        low = n + 1
                rows.append([margin, mean, comparisons, low])
    return rows


# Counts and times


def mcnemar_table():
    rows = []
    for gained, lost in [(0, 0), (1, 0), (0, 1), (2, 0), (5, 5), (12, 4), (4, 12), (60, 40), (90, 60), (700, 630), (40, 90)]:
        p = stats.binomtest(gained, gained + lost, 0.5, alternative="greater").pvalue if gained + lost else 1.0
        if gained > lost:
            two_sided = mcnemar([[7, gained], [lost, 9]], exact=True).pvalue
            assert math.isclose(min(2 * p, 1), two_sided, rel_tol=1e-9)
        rows.append([gained, lost, float(p)])
    return rows


def sign_tests():
    """Differences, how many lie above and below 0, and statsmodels' two-sided p."""
    rows = []
    for above, below, zero in [(1, 0, 0), (0, 1, 0), (3, 3, 1), (5, 0, 0), (6, 0, 0), (7, 0, 2), (9, 2, 0), (2, 9, 4), (60, 40, 3)]:
        differences = [0.1 * (k + 1) for k in range(above)] + [-3.0 * (k + 1) for k in range(below)] + [0.0] * zero
        statistic, p = sign_test(differences)
        assert statistic == (above - below) / 2
        rows.append({"differences": differences, "above": above, "below": below, "p": float(p)})
    return rows


def order_statistics():
    """Uncensored samples: the median and scipy's order-statistics interval of it."""
    rows = []
    for n in (6, 7, 8, 9, 12, 20, 35, 101):
        times = np.round(rng.exponential(1000, n) + 1, 1)
        interval = stats.quantile_test(times, q=1, p=0.5).confidence_interval(0.95)
        rank = int(np.searchsorted(np.sort(times), interval.low)) + 1
        confidence = 1 - 2 * stats.binom.cdf(rank - 1, n, 0.5)
        rows.append({"times": floats(times), "median": math.exp(np.median(np.log(times))),
                     "low": float(interval.low), "high": float(interval.high), "confidence": float(confidence)})
    return rows


def ratios():
    """Paired times with censoring. What is unknown is set to its extremes, and numpy takes the medians."""
    rows = []
    for n, horizon in [(1, 5), (2, 5), (3, 3), (5, 2.5), (5, 1.2), (6, 2), (9, 1.5), (10, 2.5), (24, 1.5)]:
        arm, reference = rng.exponential(1, n) + 0.2, rng.exponential(1.6, n) + 0.2
        extremes = []
        for arm_end, reference_end in [(None, 1e300), (1e300, None)]:
            a = np.where(arm < horizon, arm, arm_end or horizon)
            r = np.where(reference < horizon, reference, reference_end or horizon)
            extremes.append(np.sort(np.log(a) - np.log(r)))
        low, high = (float(np.median(e)) for e in extremes)
        quantiles = stats.binom(n, 0.5)
        rank = max([k for k in range(1, n // 2 + 1) if quantiles.cdf(k - 1) <= 0.025], default=1)
        rows.append({
            "horizon": horizon, "arm": floats(arm), "reference": floats(reference),
            "arm_reached": int((arm < horizon).sum()), "reference_reached": int((reference < horizon).sum()),
            # Logarithms beyond 300 stand for a bound that does not exist (a ratio of 0 or of infinity).
            "ln_median": [low, high], "ln_interval": [float(extremes[0][rank - 1]), float(extremes[1][n - rank])],
            "confidence": float(1 - 2 * quantiles.cdf(rank - 1)),
        })
    return rows


def main():
    student_cdf_rows, student_quantile_rows = student_tables()
    chi_square_cdf_rows, chi_square_quantile_rows = chi_square_tables()
    tables = {
        "made_by": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
                    "statsmodels": statsmodels.__version__, "mpmath": mpmath.__version__},
        "student_cdf": student_cdf_rows, "student_quantile": student_quantile_rows,
        "chi_square_cdf": chi_square_cdf_rows, "chi_square_quantile": chi_square_quantile_rows,
        "binomial_tail": binomial_table(),
        "summaries": summaries(), "log_summaries": log_summaries(),
        "families": families(), "holm": holm_table(),
        "seeds_to_detect": seeds_to_detect(), "seeds_to_equate": seeds_to_equate(),
        "mcnemar": mcnemar_table(), "order_statistics": order_statistics(), "ratios": ratios(),
    }
    # A generator of their own, so that adding these moved none of the tables above.
    new = np.random.default_rng(20152)
    tables |= {
        "unpaired_families": unpaired_families(new), "unpaired_seeds": unpaired_seeds(new),
        "correlations": correlations(new), "example_spreads": example_spreads(),
        "sign_tests": sign_tests(),
    }
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in tables.items()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    Path(__file__).with_name("tables.json").write_text(text)


if __name__ == "__main__":
    main()
