"""One connection to a broker; the only importer of paho.

link.py     open it, publish, read the news, close it
ear.py      what paho calls, and the news that is made of it
client.py   paho's client without paho's thread
news.py     the news, as values
"""

from gateway.mqtt.link import Link
from gateway.mqtt.news import TRANSIENT, Acknowledged, Connected, Deaf, Lost, Message, News, Will

__all__ = ["TRANSIENT", "Acknowledged", "Connected", "Deaf", "Link", "Lost", "Message", "News", "Will"]
