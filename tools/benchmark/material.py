"""What the sections on real images share: CIFAR-100, a teacher, a cache, runs of the programs."""
import json
import shutil
import signal
import subprocess
import time
from statistics import median

from .machine import PROJECT, SCRATCH
from .processes import BenchmarkError, run_program

PUBLISHED_TEACHER = PROJECT.parent / "shared" / "weights" / "cifar100_resnet56.safetensors"
# A run that is measured never comes to an end of its own, where it would look at the test set.
ENDLESS = {"epochs": "1000000", "eval_every": "1000000", "milestones": "none",
           "warmup_epochs": "0", "lr": "0.01"}


class Material:
    """The teacher, the images and the cache that the sections share."""

    def __init__(self, bench, options):
        self.bench, self.options = bench, options
        self.data = find_data(options.data)
        self.subset = self.first_images(options.images)
        published = PUBLISHED_TEACHER if PUBLISHED_TEACHER.exists() else None
        self.teacher = options.teacher or published or self.random_weights("resnet56")

    def first_images(self, count):
        """The subset of that many images, as the programs take it."""
        file = SCRATCH / f"images-{count}.txt"
        file.write_text("".join(f"{i}\n" for i in range(count)))
        return f"list:{file}"

    def random_weights(self, network):
        """A weight file of a network as it begins; speed does not depend on the weights."""
        path = SCRATCH / f"{network}.safetensors"
        if not path.exists():
            self.bench.ours_once(mode="weights", network=network, weights=str(path))
        return path

    def architecture(self):
        """The teacher's network, from the head of its weight file."""
        with open(self.teacher, "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return header["__metadata__"]["architecture"]

    def dump(self, folder, views, subset=None, codec="q8"):
        """Runs teacher-dump; what run_program gives."""
        return run_program([
            str(self.bench.teacher_dump), "--dataset", "cifar100", "--data", str(self.data),
            "--subset", subset or self.subset, "--teacher", str(self.teacher), "--views", views,
            "--logits", codec, "--threads", str(self.bench.threads), "--cache", str(folder),
            "--quiet"])

    def cache(self):
        """Two weak and two strong rounds of every image, made once and kept."""
        folder = SCRATCH / f"cache-{self.teacher.stem}-{self.options.images}"
        self.dump(folder, "weak:2,strong:2")
        return folder

    def settings(self, method, student):
        return {**ENDLESS, "method": method, "student": student, "subset": self.subset,
                "batch_size": str(self.options.batch)}

    def run(self, name, method, student, cache=None, teacher=None):
        """A contestant: a whole run from the cache or with a live teacher."""
        settings = self.settings(method, student)
        if teacher:
            settings |= {"dataset": "cifar100", "views": "weak:2,strong:2"}
        job = dict(mode="run", data=str(self.data), settings=settings,
                   output=str(SCRATCH / f"run-{name.replace(' ', '-')}"),
                   seconds=self.options.seconds)
        job |= {"weights": str(teacher)} if teacher else {"cache": str(cache)}
        return self.bench.ours(name, **job)

    def student_train(self, method, student, cache):
        """The program itself: images/s of its log, the first epoch left out."""
        output = SCRATCH / "run-program"
        shutil.rmtree(output, ignore_errors=True)
        command = [str(self.bench.student_train), "--cache", str(cache), "--data", str(self.data),
                   "--threads", str(self.bench.threads), "--output", str(output), "--quiet"]
        for key, value in self.settings(method, student).items():
            command += ["--set", f"{key}={value}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            log = output / "metrics.jsonl"
            while True:
                time.sleep(0.2)
                if process.poll() is not None:
                    raise BenchmarkError(f"student-train ended: {process.stderr.read().decode()}")
                text = log.read_text() if log.exists() else ""
                lines = text[:text.rfind("\n") + 1].splitlines()
                epochs = [json.loads(line) for line in lines[1:]]
                if sum(epoch["seconds"] for epoch in epochs) >= self.options.seconds:
                    return median([epoch["images_per_second"] for epoch in epochs])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            process.stderr.close()
            shutil.rmtree(output, ignore_errors=True)


def find_data(given):
    """The folder with CIFAR-100's files: --data or its subfolder, or where the tools put them."""
    places = [given] if given else [PROJECT / "data", PROJECT / ".build" / "reference-data"]
    for place in places:
        for folder in (place, place / "cifar-100-binary"):
            if (folder / "train.bin").exists():
                return folder
    raise BenchmarkError(
        "these sections need CIFAR-100; run tools/get-data cifar100, or name its folder with --data "
        "(train and infer need none)")
