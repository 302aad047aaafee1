"""The WSDL files live in `wsdl/`, and have to be inside the package where it is installed (docs/decisions.md)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithDescriptions(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # a checkout finds them where they are
        target = Path(self.build_lib, "rmsserver", "soap", "descriptions")
        target.mkdir(parents=True, exist_ok=True)
        for source in sorted(Path("wsdl").glob("*.wsdl")):
            shutil.copyfile(source, target / source.name)


setup(cmdclass={"build_py": BuildWithDescriptions})
