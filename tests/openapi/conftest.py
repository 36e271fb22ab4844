from support.fixtures import every_answer_is_documented, log, module_database_url, world

__all__ = ["every_answer_is_documented", "log", "module_database_url", "world"]
