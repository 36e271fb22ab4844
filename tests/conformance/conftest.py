from support.fixtures import every_answer_is_documented, module_database_url, world

__all__ = ["every_answer_is_documented", "module_database_url", "world"]
