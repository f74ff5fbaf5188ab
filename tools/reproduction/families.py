"""The experiments, family by family, with their shortened schedules."""
from .experiment import Cache, Experiment

NAMES = ["bkd", "crld", "sskd", "cache"]

# What every run of a long-tailed set has (BKD §2.3).
LONG_TAILED = ("--subset exp:100 --batch-size 128 --lr 0.1 --lr-decay 0.01 --weight-decay 2e-4 "
               "--mean 0.4914,0.4822,0.4465 --std 0.2023,0.1994,0.2010")


def all_experiments(weights):
    return bkd() + crld(weights) + sskd(weights) + cache()


def flags(text):
    return tuple(text.split())


def bkd():
    """CIFAR-10-LT and CIFAR-100-LT, ratio 100, resnet32_s teaches resnet32_s (BKD §2.3).

    200 epochs become 40: the drops after 160 and 180 come after 32 and 36, and on CIFAR-10 the weights
    are on from epoch 32 (of 160). The warm-up of five epochs would be one, which has the full rate
    already. On CIFAR-10 KD, whose gradient begins three times as large as that of cross entropy, then
    hardly leaves the largest class for two epochs; so there the five epochs stay, and runs without
    them show the difference, also those of students whose teacher had none. On CIFAR-100 KD learns
    faster than CE without them too.
    """
    three = {"ce": [0, 1, 2], "kd": [1, 2, 3], "bkd": [1, 2, 3], "ldam": [0, 1, 2]}
    return [
        *long_tailed("cifar10", three, warmup=5, mark="-warm"),
        *long_tailed("cifar10", {"kd": [1], "bkd": [1]}, warmup=5, teacher_warmup=1,
                     mark="-mixed", note=", teacher without warm-up"),
        *long_tailed("cifar10", {"ce": [0, 1], "kd": [1], "bkd": [1], "ldam": [0]},
                     note=", no warm-up"),
        *long_tailed("cifar100", three),
        *full_bkd(),
    ]


def long_tailed(dataset, seeds, warmup=1, teacher_warmup=None, mark="", note=""):
    """Rows of one data set: the seeds of each, the epochs of warm-up of it and of its teacher, and what
    ends its runs' names and its title."""
    common = flags(f"{LONG_TAILED} --epochs 40 --milestones 32,36 --warmup-epochs {warmup} "
                   "--eval-every 8")
    student = "--student resnet32_s"
    deferred = 32 if dataset == "cifar10" else 0
    ce, ldam = {"cifar10": ("71.94", "77.03"), "cifar100": ("38.82", "42.04")}[dataset]
    rows = {
        "ce": ("CE", f"--method ce {student}", ce),
        "kd": ("KD", f"--method bkd --set bkd.beta=0 {student}", ""),
        "bkd": ("BKD", f"--method bkd --set bkd.reweight_from_epoch={deferred} {student}", ""),
        "ldam": ("LDAM-DRW", "--method ldam --set ldam.reweight_from_epoch=32 "
                 f"{student}_normed", ldam),
    }

    def cache(key):
        return long_tailed_cache(dataset, teacher_warmup or warmup) if key in ("kd", "bkd") else None

    return [
        Experiment(f"bkd-{dataset}-{key}{mark}-s{seed}", "bkd", title + note, dataset,
                   (*flags(method), *common), seed=seed, published=published, cache=cache(key),
                   keeps_weights=key == "ce" and seed == 0)
        for key, (title, method, published) in rows.items() for seed in seeds.get(key, [])]


def long_tailed_teacher(dataset, warmup=1):
    """Of all its students; none has its seed, since it would start from its own initial weights."""
    form = {"cifar10": {1: ("", ", no warm-up"), 5: ("-warm", "")}, "cifar100": {1: ("", "")}}
    mark, note = form[dataset][warmup]
    return long_tailed(dataset, {"ce": [0]}, warmup=warmup, mark=mark, note=note)[0]


def long_tailed_cache(dataset, warmup=1):
    """As many rounds as the longest student has epochs: every epoch a new view, as online."""
    mark = "" if warmup == 1 else "-warm"
    return Cache(f"{dataset}-lt100{mark}", long_tailed_teacher(dataset, warmup), dataset, "weak:40",
                 flags("--subset exp:100"))


def full_bkd():
    """One row of CIFAR-100-LT with the published 200 epochs."""
    common = flags(f"{LONG_TAILED} --epochs 200 --milestones 160,180 --warmup-epochs 5 "
                   "--eval-every 10 --student resnet32_s")
    teacher = Experiment("bkd-full-teacher", "bkd", "CE (teacher)", "cifar100",
                         ("--method", "ce", *common), seed=100, published="38.82",
                         keeps_weights=True, is_background=True)
    store = Cache("cifar100-lt100-full", teacher, "cifar100", "weak:all",
                  flags("--subset exp:100"))
    rows = [("kd", "KD", flags("--method bkd --set bkd.beta=0")),
            ("bkd", "BKD", flags("--method bkd --set bkd.reweight_from_epoch=0"))]
    return [teacher] + [
        Experiment(f"bkd-full-{key}-s0", "bkd", title, "cifar100", (*method, *common),
                   cache=store, is_background=True) for key, title, method in rows]


def schedule(epochs):
    """mdistiller's 240 epochs with drops after 150, 180 and 210, shortened in proportion."""
    drops = ",".join(str(round(epochs * drop / 240)) for drop in (150, 180, 210))
    return flags(f"--epochs {epochs} --milestones {drops}")


def pair_cache(weights):
    """Logits for KD, DKD and CRLD, and features of four rounds for SSKD."""
    return Cache("cifar100-resnet56", weights / "cifar100_resnet56.safetensors", "cifar100",
                 "weak:8,strong:8",
                 flags("--features stage1,stage2,stage3 --feature-views weak:4 "
                       "--feature-precision q8"))


def crld(weights):
    """resnet56 teaches resnet20 on CIFAR-100; 24 epochs of the published 240."""
    common = (*flags("--student resnet20 --eval-every 3"), *schedule(24))
    store = pair_cache(weights)
    rows = [
        # As many views as those who learn from the cache.
        ("ce", "CE", "--method ce --views weak:8", "69.06", None),
        ("kd", "KD", "--method kd", "70.66", store),
        ("dkd", "DKD", "--method dkd --set dkd.beta=2 --set dkd.warmup=2", "71.97", store),
        ("crld", "CRLD", "--method crld", "72.10", store),
    ]
    experiments = [
        Experiment(f"crld-{key}-s{seed}", "crld", title, "cifar100", (*flags(text), *common),
                   seed=seed, cache=source, published=published)
        for seed in range(2) for key, title, text, published, source in rows]
    ablations = [
        ("no-cross", "CRLD without the cross-view term", "--set crld.cv_weight=0"),
        ("no-within", "CRLD without the within-view term", "--set crld.wv_weight=0"),
        ("no-masks", "CRLD with both thresholds at 0", "--set crld.tau_w=0 --set crld.tau_s=0"),
        ("over-dkd", "CRLD over DKD", "--set crld.base=dkd --set dkd.beta=2"),
    ]
    experiments += [
        Experiment(f"crld-{key}-s0", "crld", title, "cifar100",
                   (*flags("--method crld " + text), *common), cache=store)
        for key, title, text in ablations]
    full = (*flags("--student resnet20 --eval-every 10"), *schedule(240))
    many = Cache("cifar100-resnet56-full", store.teacher, "cifar100", "weak:all,strong:24")
    experiments += [
        Experiment(f"crld-full-{key}-s0", "crld", title, "cifar100",
                   (*flags(f"--method {key}"), *full), cache=many, published=published,
                   is_background=True)
        for key, title, published in (("kd", "KD", "70.66"), ("crld", "CRLD", "72.10"))]
    return experiments


# The smallest error of stage 1 in the runs sskd-lr-* and, over the deviation, sskd-std-lr-*; set
# them again when those are repeated.
SSKD_RATE = "0.5"
SSKD_STD_RATE = "0.2"
# That of the other methods (mdistiller's): the head learns by cross entropy as they do.
SSKD_HEAD_RATE = "0.05"


def sskd(weights):
    """The same pair, 24 epochs: staged against joint, frozen against free, CE and KD of crld.

    The rate is tuned on the first stage alone: three epochs of it (the rest of the run has one).
    Raw features of the last stage have sixteen times the variance of the first one's, so its rate may
    be wrong for the last; divided by the teacher's deviation (sskd.norm=std) all have the same.
    """
    store = pair_cache(weights)
    common = flags("--method sskd --student resnet20 --eval-every 3")
    short = flags("--epochs 4 --set sskd.stage_epochs=3,0.34,0.33 --set sskd.head_epochs=0.33")
    std = "--set sskd.norm=std "
    tuning = [
        Experiment(f"sskd-{key}lr-{rate}", "sskd", f"learning rate {rate}", "cifar100",
                   (*common, *short, *flags(text), "--lr", rate), cache=store,
                   is_tuning=True)
        for key, text, rates in (("", "", ("0.05", "0.1", "0.2", "0.5", "1")),
                                 ("std-", std, ("0.05", "0.1", "0.2", "0.5")))
        for rate in rates]
    head = f"--set sskd.head_lr={SSKD_HEAD_RATE} "
    joint = "--set sskd.joint=true "
    rows = [
        ("staged", "SSKD", SSKD_RATE, head, 2),
        ("free", "SSKD, earlier stages not frozen", SSKD_RATE, head + "--set sskd.freeze=false", 2),
        ("joint", "SSKD, all stages at once", SSKD_RATE, head + joint, 2),
        ("std", "SSKD, features over their deviation", SSKD_STD_RATE, head + std, 1),
        ("std-joint", "SSKD, all stages at once, features over their deviation", SSKD_STD_RATE,
         head + joint + std, 1),
        # The rate that goes with the division, without it; and the default for all.
        ("cool", f"SSKD at {SSKD_STD_RATE}", SSKD_STD_RATE, head, 1),
        ("default", f"SSKD, all at {SSKD_HEAD_RATE}, the default", SSKD_HEAD_RATE, "", 1),
        ("hot-head", f"SSKD, the head at {SSKD_RATE} too", SSKD_RATE, "", 1),
        ("hot-head-free", f"SSKD, earlier stages not frozen, the head at {SSKD_RATE} too", SSKD_RATE,
         "--set sskd.freeze=false", 1),
    ]
    # All at once for as long as each stage has by itself: is it the order or the time?
    brief = (*flags("--epochs 11 --set sskd.stage_epochs=6.5 --set sskd.head_epochs=4.5"),
             *flags(head + joint))
    short_rows = [("joint-short", "SSKD, all stages at once, 11 epochs", SSKD_RATE, ""),
                  ("std-joint-short",
                   "SSKD, all stages at once, 11 epochs, features over their deviation",
                   SSKD_STD_RATE, std)]
    return tuning + [
        Experiment(f"sskd-{key}-s{seed}", "sskd", title, "cifar100",
                   (*common, "--epochs", "24", "--lr", rate, *flags(text)), seed=seed,
                   cache=store)
        for key, title, rate, text, seeds in rows for seed in range(seeds)
    ] + [
        Experiment(f"sskd-{key}-s0", "sskd", title, "cifar100",
                   (*common, *brief, "--lr", rate, *flags(text)), cache=store)
        for key, title, rate, text in short_rows]


def cache():
    """What the size of the pool of views and the precision of logits do to a student.

    CIFAR-100-LT, resnet32_s of the family bkd teaches resnet20_s by BKD, 24 epochs. All 162 views
    (weak:all) serve every weak round, and 24 epochs see the rounds 0 to 23, each a draw from them: the
    cache of the family bkd, weak:40, holds these, and the student's bits are the same.
    """
    teacher = long_tailed_teacher("cifar100")
    part = ("--subset", "exp:100")
    common = flags(f"{LONG_TAILED} --student resnet20_s --epochs 24 --milestones 19,22 "
                   "--warmup-epochs 1 --eval-every 3")
    bkd = ("--method", "bkd", *common)
    experiments = [
        Experiment(f"cache-ce-s{seed}", "cache", "CE, no teacher", "cifar100",
                   ("--method", "ce", *common), seed=seed) for seed in (1, 2)]
    experiments += [
        Experiment(f"cache-live-s{seed}", "cache", "live teacher, a new view every epoch",
                   "cifar100", bkd, seed=seed, live=teacher) for seed in range(1, 5)]
    every = long_tailed_cache("cifar100")
    pools = [("1", "weak:1", "q8"), ("4", "weak:4", "q8"), ("16", "weak:16", "q8"),
             ("16-fp32", "weak:16", "fp32"), ("16-coarse", "weak:16", "coarse")]
    stores = [(key, f"{views}, {codec}",
               Cache(f"cifar100-lt100-pool-{key}", teacher, "cifar100", views,
                     (*part, "--logits", codec))) for key, views, codec in pools]
    stores.append(("all", "weak:all, q8", every))
    # Precisions differ by less than two seeds do; live and all see the same views.
    seeds = {"1": 2, "4": 2, "all": 4}
    return experiments + [
        Experiment(f"cache-{key}-s{seed}", "cache", title, "cifar100", bkd, seed=seed, cache=store)
        for key, title, store in stores for seed in range(1, seeds.get(key, 6) + 1)]
