from support.fixtures import module_database_url

__all__ = ["module_database_url"]
