"""Tells Hydra of the conf/ of installed packages (see `lta.cli.plugins`)."""

from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from lta.cli.plugins import installed_roots


class PackageConf(FileConfigSource):
    """Files of a package's conf/, but for those that a link brings in from outside."""

    @staticmethod
    def scheme() -> str:
        return "lta-conf"

    def is_group(self, config_path: str) -> bool:
        return super().is_group(config_path) and self._is_own(config_path)

    def is_config(self, config_path: str) -> bool:
        return super().is_config(config_path) and self._is_own(self._normalize_file_name(config_path))

    def _is_own(self, name: str) -> bool:
        return (Path(self.path) / name).resolve().is_relative_to(Path(self.path).resolve())


class InstalledConf(SearchPathPlugin):
    """Adds the conf/ of installed packages to where Hydra looks."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Adds the folders of lta and of installed packages."""
        for root in installed_roots():
            search_path.append(f"lta: {root.label}", f"{PackageConf.scheme()}://{root.path}")


def register_with_hydra() -> None:
    """For the commands of lta: other programs that use Hydra are not told of these packages."""
    for plugin in (PackageConf, InstalledConf):
        Plugins.instance().register(plugin)
