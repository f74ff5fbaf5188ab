"""tools/get-data with archives that lie in a folder: what it answers, and what it leaves behind."""
import hashlib
import io
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[3] / "tools" / "get-data"
FILES = {"train.bin": b"training images", "test.bin": b"test images"}


def md5(data):
    return hashlib.md5(data).hexdigest()


def archive(files):
    """A publisher's archive of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-100-binary/{name}")
            member.size = len(data)
            member.uid = 4711
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


class GetDataTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.target = self.data / "cifar-100-binary"

    def publish(self, files, expected=None):
        """Puts an archive where the tool looks, and makes a tool that expects these files."""
        packed = archive(files)
        (self.folder / "cifar-100-binary.tar.gz").write_bytes(packed)
        text = TOOL.read_text().replace("03b5dce01913d631647c71ecec9e9cb8", md5(packed))
        for name, data in (expected or files).items():
            text = re.sub(rf"[0-9a-f]{{32}}  {name}", f"{md5(data)}  {name}", text, count=1)
        tool = self.folder / "get-data"
        tool.write_text(text)
        tool.chmod(0o755)
        return tool

    def run_tool(self, code, *arguments, tool=TOOL):
        done = subprocess.run(
            [str(tool), *map(str, arguments)], capture_output=True, text=True,
            env={**os.environ, "CIFAR_URL": f"file://{self.folder}"})
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout + done.stderr

    def test_the_files_are_there_and_stay(self):
        tool = self.publish(FILES)
        self.assertIn("is complete\n", self.run_tool(0, "cifar100", self.data, tool=tool))
        for name, data in FILES.items():
            self.assertEqual((self.target / name).read_bytes(), data)
            self.assertEqual((self.target / name).stat().st_uid, os.getuid())
        (self.folder / "cifar-100-binary.tar.gz").unlink()
        self.assertIn("complete already", self.run_tool(0, "cifar100", self.data, tool=tool))
        (self.target / "train.bin").write_bytes(b"other images")
        self.assertIn("move it away", self.run_tool(65, "cifar100", self.data, tool=tool))
        self.assertEqual((self.target / "train.bin").read_bytes(), b"other images")

    def test_what_is_not_the_publishers_is_refused(self):
        tool = self.publish({**FILES, "test.bin": b"others"}, expected=FILES)
        said = self.run_tool(65, "cifar100", self.data, tool=tool)
        self.assertIn("the unpacked files", said)
        said = self.run_tool(65, "cifar100", self.data)  # the archive itself
        self.assertIn("expected 03b5dce01913d631647c71ecec9e9cb8", said)
        self.assertEqual(list(self.data.iterdir()), [])

    def test_what_cannot_be_done_is_said(self):
        for arguments in ((), ("cifar1000",), ("cifar100", ""), ("cifar100", "data", "more")):
            self.assertIn("get-data: ", self.run_tool(64, *arguments))
        said = self.run_tool(69, "cifar100", self.data)
        self.assertIn("cifar-100-binary.tar.gz cannot be downloaded", said)
        self.assertEqual(list(self.data.iterdir()), [])
        self.data.rmdir()
        self.data.touch()
        self.run_tool(73, "cifar100", self.data)


if __name__ == "__main__":
    unittest.main()
